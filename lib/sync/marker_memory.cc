// SPDX-License-Identifier: MIT
#include "sync/marker_memory.h"

#include "base/error.h"

namespace popsync::sync {
namespace {

// What the row says when the session ended over the question.
constexpr const char* kAsked = "asked";
constexpr const char* kAskedTwice = "asked twice";
constexpr const char* kForgotten = "forgotten";

net::Marker marker_from(const std::string& text) {
  if (text == "uidl") return net::Marker::uidl;
  if (text == "list") return net::Marker::list;
  return text == "none" || text == kAskedTwice ? net::Marker::none : net::Marker::unknown;
}

std::string text_of(net::Marker marker) {
  switch (marker) {
    case net::Marker::uidl: return "uidl";
    case net::Marker::list: return "list";
    case net::Marker::none: return "none";
    case net::Marker::unknown: break;
  }
  return "";
}

}  // namespace

net::Marker MarkerMemory::learn(net::Pop3Client& client, const pop3::ListingEntry& entry) {
  net::Marker marker = marker_from(account_.marker);
  if (marker == net::Marker::unknown) {
    account_.marker = account_.marker == kAsked ? kAskedTwice : kAsked;
    marker = net::learn_marker(client.connection(), entry);
  }
  account_.marker = text_of(marker);
  return marker;
}

void MarkerMemory::forget() { account_.marker = kForgotten; }

MaildropLook MarkerMemory::look(LookContext context, const std::optional<state::KnownListing>& last) {
  const bool learns = account_.marker.empty() && account_.surprises == 0 && context.client.pipelining();
  if (learns) context.beside = net::Beside::unique_id;
  try {
    MaildropLook seen = look_at_maildrop(context, last);
    if (seen.listing.answers_unique_id) account_.marker = text_of(net::Marker::uidl);
    return seen;
  } catch (const Error& error) {
    // Whatever went wrong, the question goes apart from the listing: the server may not bear the two together.
    if (learns && error.code() != ErrorCode::interrupted) account_.marker = context.client.asking_unique_id() ? kAsked : kForgotten;
    throw;
  }
}

}  // namespace popsync::sync
