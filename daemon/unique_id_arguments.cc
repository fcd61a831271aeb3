// SPDX-License-Identifier: MIT
#include "unique_id_arguments.h"

#include "base/error.h"
#include "base/escape.h"

namespace popsync {

pop3::UniqueIdText parse_uid_argument(const std::string& text) {
  auto parsed = pop3::parse_unique_id_text(text);
  if (!parsed) {
    throw Error(ErrorCode::unknown_uid, "\"" + escaped(text) + "\" is no unique-id",
                "write it as `popsync list ACCOUNT` prints it: octets outside !..~, % and # as %XX");
  }
  return std::move(*parsed);
}

void refuse_unknown_uid(const std::string& text, const std::string& account) {
  throw Error(ErrorCode::unknown_uid, "account " + account + " has no message \"" + escaped(text) + "\"",
              "`popsync list " + account + "` prints the unique-ids");
}

}  // namespace popsync
