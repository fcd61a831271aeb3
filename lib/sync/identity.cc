// SPDX-License-Identifier: MIT
#include "sync/identity.h"

namespace popsync::sync {

Identification identify(const delivery::Prints& retrieved, std::span<const KnownPrints> known) {
  for (const KnownPrints& each : known) {
    if (each.prints.fingerprint == retrieved.fingerprint) return {.verdict = Verdict::equal, .row = each.candidate};
  }
  for (const KnownPrints& each : known) {
    const bool same_header = retrieved.has_message_id && each.prints.has_message_id && each.prints.header_hash == retrieved.header_hash;
    if (same_header) return {.verdict = Verdict::changed, .row = each.candidate};
  }
  return {};
}

}  // namespace popsync::sync
