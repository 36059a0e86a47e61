/*
 * Makes this process see a processor without AVX-512, AVX-VNNI and AMX, at full speed: the CPUID
 * instruction is made to fault (arch_prctl ARCH_SET_CPUID, Linux 4.12, where the processor can),
 * and the fault's handler answers with those features cleared. So a library that chooses its
 * kernels by CPUID can be measured as it runs on an AVX2 processor. For LD_PRELOAD; benches only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { kArchSetCpuid = 0x1012 };

static struct sigaction previous;
static int (*real_sigaction)(int, const struct sigaction*, struct sigaction*);

static int SetCpuid(unsigned long enabled) {
  return (int)syscall(SYS_arch_prctl, kArchSetCpuid, enabled);
}

static void Answer(greg_t* registers) {
  unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX];
  unsigned a = leaf, b, c = subleaf, d;
  SetCpuid(1);
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  SetCpuid(0);
  if (leaf == 7 && subleaf == 0) {
    /* AVX512 F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS,
     * VP2INTERSECT, AMX BF16, FP16, TILE, INT8. */
    b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
    c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
    d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
  } else if (leaf == 7 && subleaf == 1) {
    a &= ~(1u << 4 | 1u << 5);  /* AVX-VNNI, AVX512 BF16 */
    d &= ~(1u << 4 | 1u << 10); /* AVX-VNNI-INT8, AVX-VNNI-INT16 */
  }
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

static void OnFault(int signal, siginfo_t* info, void* context) {
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  const unsigned char* code = (const unsigned char*)registers[REG_RIP];
  /* A fault of CPUID has no address; one of a jump to nowhere must not be read again. */
  if (info->si_code == SI_KERNEL && code[0] == 0x0f && code[1] == 0xa2) {
    Answer(registers);
  } else if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else {
    real_sigaction(signal, &previous, NULL);
  }
}

/* Node resets every handler when it starts and V8 sets one of its own: for this signal ours stays
 * in front, and theirs is kept for the faults that are not ours. */
int sigaction(int signal, const struct sigaction* action, struct sigaction* old) {
  if (real_sigaction == NULL) *(void**)&real_sigaction = dlsym(RTLD_NEXT, "sigaction");
  if (signal != SIGSEGV) return real_sigaction(signal, action, old);
  if (old != NULL) *old = previous;
  if (action != NULL) previous = *action;
  return 0;
}

__attribute__((constructor)) static void Start(void) {
  struct sigaction action = {0};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  *(void**)&real_sigaction = dlsym(RTLD_NEXT, "sigaction");
  real_sigaction(SIGSEGV, &action, &previous);
  if (SetCpuid(0) != 0) {
    fputs("hide_avx512: this processor or kernel cannot make CPUID fault\n", stderr);
    _exit(1);
  }
}
