// SPDX-License-Identifier: MIT
// Reads the mail of a Maildir, whoever put it there, whether it has an id or not. Changes nothing. A file that a reader renames meanwhile is found
// under its new name. Errors: those of Fs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fs.h"
#include "delivery/message_prints.h"

namespace popsync::delivery {

// A file as popsync would have stored it, with LF line ends.
struct FilePrints {
  Prints prints;
  std::uint64_t wire_octets = 0;  // with CRLF line ends, as RFC 1939 counts a message
};

class MaildirReader {
 public:
  // Empty if there is no new/ or no cur/ at `path`.
  static std::optional<MaildirReader> open(Fs& fs, const std::string& path);

  // Of its files, without flags, sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  // What the header tells; no more of the file is read. Empty if it is gone, or no regular file.
  std::optional<FilePrints> header_of(const std::string& name);
  // Of all of it, and what was read is durable once sync() has returned.
  std::optional<FilePrints> read_durably(const std::string& name);
  // The names are durable. Never to be repeated after it has failed.
  void sync();

 private:
  struct Place {
    int dir;
    std::string name;  // with flags
  };
  MaildirReader(Fs& fs, UniqueFd fresh, UniqueFd cur);
  void look();
  std::optional<UniqueFd> open_file(const std::string& name);
  std::optional<UniqueFd> open_at(const Place& place);

  Fs& fs_;
  UniqueFd new_;
  UniqueFd cur_;
  std::unordered_map<std::string, Place> places_;
};

}  // namespace popsync::delivery
