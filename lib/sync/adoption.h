// SPDX-License-Identifier: MIT
// Which messages of a maildrop are in the Maildir already, put there by another program? Told by header hash and size, one message to one file. Pure:
// adoption_session.h asks the server and reads the files.
//
// Other programs add header fields (Received, Delivered-To), so a size that differs proves nothing where a Message-ID speaks for the message. Where
// messages cannot be told apart they are fetched: twice is better than never.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sync/rekeying.h"

namespace popsync::sync {

struct FileHeader {
  std::string header_hash;
  bool has_message_id = false;
  std::uint64_t wire_octets = 0;  // with CRLF line ends, as LIST counts
  std::uint64_t stored_size = 0;  // with LF line ends, as some servers count
};

struct Adopted {
  std::size_t header = 0;  // index in `headers`
  std::size_t file = 0;    // index in `files`
  // Beyond doubt, so it may be deleted on the server: the header names the message (Message-ID), the file has exactly the octets that LIST tells, and
  // no other message of this header and size is left that the file may be. Without Message-ID two messages of one second and size may differ in the
  // body; with another size the file may be a copy that was cut or changed on its way. Both are here for all we know, but if not, the server's is the
  // last.
  bool removable = false;
};

std::vector<Adopted> pair_with_files(std::span<const ListedHeader> headers, std::span<const FileHeader> files);

}  // namespace popsync::sync
