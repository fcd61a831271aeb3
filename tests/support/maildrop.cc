// SPDX-License-Identifier: MIT
#include "support/maildrop.h"

#include <algorithm>
#include <utility>

namespace popsync::test {

namespace {

// A message that lacks its final CRLF gets one when it is sent: the termination octets stand on a line of their own.
std::uint64_t wire_size(const std::string& octets) { return octets.size() + (octets.empty() || octets.ends_with("\r\n") ? 0 : 2); }

}  // namespace

void Maildrop::add(std::string octets, std::string uid) {
  messages_.push_back(std::make_shared<StoredMessage>(StoredMessage{.uid = std::move(uid), .octets = std::move(octets)}));
}

bool Maildrop::remove(const std::string& uid) {
  const auto found = std::find_if(messages_.begin(), messages_.end(), [&](const auto& message) { return message->uid == uid; });
  if (found == messages_.end()) return false;
  messages_.erase(found);
  return true;
}

std::vector<std::shared_ptr<StoredMessage>> Maildrop::remove(const std::set<const StoredMessage*>& doomed) {
  const auto first = std::stable_partition(messages_.begin(), messages_.end(), [&](const auto& message) { return !doomed.contains(message.get()); });
  std::vector<std::shared_ptr<StoredMessage>> removed(std::make_move_iterator(first), std::make_move_iterator(messages_.end()));
  messages_.erase(first, messages_.end());
  return removed;
}

void Maildrop::unhide() {
  for (const auto& message : messages_) message->hidden = false;
}

std::vector<ListedMessage> Maildrop::listing() const {
  std::vector<ListedMessage> listed;
  for (const auto& message : messages_) {
    if (!message->hidden) listed.push_back({.stored = message, .uid = message->uid, .size = wire_size(message->octets)});
  }
  return listed;
}

}  // namespace popsync::test
