// SPDX-License-Identifier: MIT
// CRLF becomes LF, and nothing else changes: a lone CR, a lone LF and every other octet stay as the server sent them.
#pragma once

#include <string>
#include <string_view>

namespace popsync::delivery {

class CrlfToLf {
 public:
  // Appends the converted octets to `out`. A CR at the very end is held back until the next octet shows what it is.
  void convert(std::string_view in, std::string& out);
  // Appends a CR that was held back.
  void finish(std::string& out);

 private:
  bool cr_pending_ = false;
};

}  // namespace popsync::delivery
