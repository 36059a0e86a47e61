#include "service.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace ghostai {

namespace {

Status Refuse(const std::string& expected, const std::string& received) {
  return Status::Error(StatusCode::kInvalidArgument,
                       "Expected " + expected + " but received " + received);
}

}  // namespace

Status Notify(const std::string& state, bool* sent) {
  *sent = false;
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return Status::Ok();
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  size_t length = std::strlen(path);
  if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path)) {
    return Refuse("a path or an abstract socket in NOTIFY_SOCKET", path);
  }
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract socket
  int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return Refuse("a socket", std::strerror(errno));
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  ssize_t written = sendto(socket, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                           reinterpret_cast<sockaddr*>(&address), size);
  int error = errno;
  close(socket);
  if (written < 0) return Refuse("a service manager at NOTIFY_SOCKET", std::strerror(error));
  *sent = true;
  return Status::Ok();
}

Status LockFile(const std::string& path, bool* taken) {
  *taken = false;
  int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return Refuse("a lock file at " + path, std::strerror(errno));
  if (flock(file, LOCK_EX | LOCK_NB) == 0) {
    *taken = true;  // the file stays open: its lock ends with the process
    return Status::Ok();
  }
  int error = errno;
  close(file);
  return error == EWOULDBLOCK ? Status::Ok()
                              : Refuse("a lock on the file " + path, std::strerror(error));
}

}  // namespace ghostai
