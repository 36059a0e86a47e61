// What a service asks of the operating system: telling its manager how it is, and holding a folder.
#pragma once

#include <string>

#include "../status.h"

namespace ghostai {

// Sends `state` (lines of NAME=VALUE) to the service manager whose socket NOTIFY_SOCKET names, as
// sd_notify(3) describes it. `sent` is false where there is none. kInvalidArgument with the reason
// where it could not be sent.
Status Notify(const std::string& state, bool* sent);

// Takes the lock of the file at `path`, which is made, until this process ends; `taken` is false
// where another process has it. kInvalidArgument with the reason where the file cannot be opened.
Status LockFile(const std::string& path, bool* taken);

}  // namespace ghostai
