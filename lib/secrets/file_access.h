// SPDX-License-Identifier: MIT
// Gathers what exposure_of() judges by: of an open file from the kernel, of this process from the kernel and its environment.
#pragma once

#include <sys/stat.h>

#include "secrets/secret_rules.h"

namespace popsync::secrets {

// `status` is what fstat() says of it. A file system that does not tell what it is counts as a disk that can be written.
FileAccess access_of(int fd, const struct stat& status);

// In doubt not a container.
Reader this_reader();

}  // namespace popsync::secrets
