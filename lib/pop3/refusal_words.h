// SPDX-License-Identifier: MIT
// The words in which servers refuse, and what they mean: one table, the same as in docs/protocol.md. It is asked only where a response code says
// nothing. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace popsync::pop3 {

enum class RefusalMeaning {
  in_use,        // another session reads the maildrop
  locked,        // the provider has locked the account, or the address we come from
  switched_off,  // the account may not use POP3
  passes,        // trouble of the server, or a limit that ends by itself
  wrong_secret,  // user or password are wrong
  unclear,       // the words name no reason, or several
};

struct RefusalPhrase {
  std::string_view words;  // upper case; looked for anywhere in a text, in any case
  RefusalMeaning meaning;
  std::string_view seen;  // the server that says so
};

// In the order in which they are looked for: the first one that a text has decides. What could lock an account if it was tried too often stands in
// front of what passes.
std::span<const RefusalPhrase> refusal_phrases();

// "wrong password": the meaning as docs/protocol.md calls it.
std::string_view name_of(RefusalMeaning meaning);

// Empty: none of the phrases.
std::optional<RefusalMeaning> meaning_of(std::string_view text);

// The words with which servers refuse to list a maildrop that has no messages. They prove nothing before STAT has said 0.
std::span<const std::string_view> empty_maildrop_phrases();
// Words that tell of trouble: beside them the phrases above do not count ("no messages: cannot open the mailbox").
std::span<const std::string_view> listing_trouble_words();
bool says_empty_maildrop(std::string_view text);

}  // namespace popsync::pop3
