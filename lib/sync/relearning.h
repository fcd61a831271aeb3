// SPDX-License-Identifier: MIT
// Which messages of a listing are here although no row says so? Told by the tokens in the names of their files, which only this state could have
// given. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pop3/types.h"
#include "state/rows.h"

namespace popsync::sync {

// Whose tokens they are.
struct TokenOwner {
  std::string install_key;
  std::string account_id;
};

struct FileOfMailstore {
  state::RowId mailstore = 0;
  std::string name;  // without flags
};

struct Recognised {
  pop3::ListingEntry entry;
  FileOfMailstore file;
  std::vector<state::RowId> replaces;  // the held row of a message that was fetched after all
};

struct Relearning {
  std::vector<Recognised> here;
  std::uint64_t not_here = 0;  // entries with neither row nor file
};

// `files` are those that no row names. Of the entries with one unique-id and list_size, those that a row stands for are known already; of the others
// as many are here as files carry their token. An entry that is given another size than it had then is not recognised, and is fetched: twice is
// better than never.
Relearning relearn_from_names(std::span<const pop3::ListingEntry> listing, std::span<const state::MessageRow> rows,
                              std::span<const FileOfMailstore> files, const TokenOwner& owner);

}  // namespace popsync::sync
