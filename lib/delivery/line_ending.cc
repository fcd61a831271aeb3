// SPDX-License-Identifier: MIT
#include "delivery/line_ending.h"

namespace popsync::delivery {

void CrlfToLf::convert(std::string_view in, std::string& out) {
  if (in.empty()) return;
  if (cr_pending_ && in.front() != '\n') out += '\r';
  cr_pending_ = false;
  while (true) {
    const auto cr = in.find('\r');
    if (cr == std::string_view::npos) {
      out += in;
      return;
    }
    out += in.substr(0, cr);
    in.remove_prefix(cr + 1);
    if (in.empty()) {
      cr_pending_ = true;
      return;
    }
    if (in.front() != '\n') out += '\r';
  }
}

void CrlfToLf::finish(std::string& out) {
  if (cr_pending_) out += '\r';
  cr_pending_ = false;
}

}  // namespace popsync::delivery
