// SPDX-License-Identifier: MIT
#include "secrets/locked_memory.h"

#include <string.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/error.h"

namespace popsync::secrets {

char* map_secret_memory(std::size_t size) {
  void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw Error(ErrorCode::secret_unavailable, "no memory for a secret: " + errno_text(errno));
  // Best effort, all three: see the header.
  (void)::mlock(mapped, size);
  (void)::madvise(mapped, size, MADV_DONTDUMP);
  (void)::madvise(mapped, size, MADV_WIPEONFORK);
  return static_cast<char*>(mapped);
}

void wipe_secret_memory(char* data, std::size_t size) noexcept {
  if (data == nullptr) return;
  ::explicit_bzero(data, size);
  ::munmap(data, size);
}

}  // namespace popsync::secrets
