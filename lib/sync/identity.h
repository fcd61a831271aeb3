// SPDX-License-Identifier: MIT
// Is a message that was just retrieved one that we have? Decided by content, for entries that the listing leaves in doubt. Pure.
#pragma once

#include <optional>
#include <span>

#include "delivery/message_prints.h"
#include "state/rows.h"
#include "sync/fetch_plan.h"

namespace popsync::sync {

enum class Verdict {
  other,    // a message we do not have: deliver it
  equal,    // the same octets, but for what readers rewrite
  changed,  // the same Message-ID, date, sender, recipient and subject, with other octets: changed on the way
};

struct Identification {
  Verdict verdict = Verdict::other;
  std::optional<Candidate> row;  // of equal and changed
};

struct KnownPrints {
  Candidate candidate;
  state::StoredPrints prints;
};

// An equal fingerprint anywhere wins over an equal header; a header without Message-ID identifies nothing.
Identification identify(const delivery::Prints& retrieved, std::span<const KnownPrints> known);

}  // namespace popsync::sync
