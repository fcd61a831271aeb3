// SPDX-License-Identifier: MIT
// The name of a file in the Maildir: unique by 64 random bits, so that plain rename() can never replace anything, and carrying a token
// by which a lost state can be learnt again from the files alone. No octet of a server, a user or a header is in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/digest.h"

namespace popsync::delivery {

constexpr std::size_t kNameOctetsMax = 200;  // leaves room for ":2,FLAGS" and what other programs append within 255

// <epoch>.M<usec>P<pid>Q<n>R<16 hex>_<12 hex token>.<host>
std::string make_name(const Clock& clock, std::string_view token);

// 12 hex digits of HMAC-SHA256(install key, account id | uid | list_size).
std::string make_token(const HmacSha256& install_key, std::string_view account_id, std::string_view uid, std::optional<std::uint64_t> list_size);

// Another name for the same message: new random bits, the old token.
std::string make_name_like(const Clock& clock, std::string_view name);

// The token in a file name of ours or in the marker of an mbox entry, without flags; empty if it is none of these.
std::string_view token_in(std::string_view name);

// The name as popsync gave it: what stands before the first of , : ; ! (mail readers append their flags behind one of these).
std::string_view name_without_flags(std::string_view name);

}  // namespace popsync::delivery
