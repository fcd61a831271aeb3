// SPDX-License-Identifier: MIT
#include "registers.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

namespace popsync::test {

namespace {

#if defined(__x86_64__)
constexpr bool kRegistersKnown = true;
auto& second_argument(user_regs_struct& registers) { return registers.rsi; }
auto& result(user_regs_struct& registers) { return registers.rax; }
#elif defined(__aarch64__)
constexpr bool kRegistersKnown = true;
auto& second_argument(user_regs_struct& registers) { return registers.regs[1]; }
auto& result(user_regs_struct& registers) { return registers.regs[0]; }
#else
constexpr bool kRegistersKnown = false;
unsigned long unknown = 0;
auto& second_argument(user_regs_struct& /*registers*/) { return unknown; }
auto& result(user_regs_struct& /*registers*/) { return unknown; }
#endif

template <typename Change>
void change(pid_t thread, Change change) {
  user_regs_struct registers{};
  iovec all{.iov_base = &registers, .iov_len = sizeof registers};
  if (::ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &all) != 0) return;  // it is being killed
  change(registers);
  (void)::ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &all);
}

}  // namespace

bool registers_can_be_changed() { return kRegistersKnown; }

void set_second_argument(pid_t thread, std::uint64_t value) {
  change(thread, [&](user_regs_struct& registers) { second_argument(registers) = value; });
}

void set_result(pid_t thread, std::int64_t value) {
  change(thread, [&](user_regs_struct& registers) { result(registers) = static_cast<std::uint64_t>(value); });
}

}  // namespace popsync::test
