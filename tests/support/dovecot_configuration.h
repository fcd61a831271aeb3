// SPDX-License-Identifier: MIT
// What a private Dovecot is told. From 2.4 on Dovecot has other names for it and refuses the old ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/dovecot_process.h"

namespace popsync::test {

// "2.3.19.1 (9b53102964)" is 2.3; throws std::runtime_error if `program` does not say what it is.
bool is_dovecot_2_3(const std::string& program);

struct DovecotPlace {
  std::string folder;
  DovecotIdentity identity;
  std::uint16_t port = 0;
  std::uint16_t tls_port = 0;
};

// The content of dovecot.conf; `settings` are lines behind ours.
std::string dovecot_configuration(bool is_2_3, const DovecotPlace& place, const std::vector<std::string>& settings);

}  // namespace popsync::test
