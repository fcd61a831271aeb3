// SPDX-License-Identifier: MIT
#include "sync/deletion.h"

#include "base/format.h"
#include "base/log.h"

namespace popsync::sync {

void Deletion::mark(net::Pop3Client& client) {
  std::vector<pop3::MessageNumber> numbers;
  for (const Removal& removal : removals_) numbers.push_back(removal.number);
  const std::vector<bool> answers = client.dele(numbers);
  std::vector<Removal> marked;
  for (std::size_t i = 0; i < removals_.size(); ++i) {
    if (answers[i]) marked.push_back(removals_[i]);
  }
  certain_ = certain_ && marked.size() == removals_.size();
  removals_ = std::move(marked);
}

void Deletion::commit(net::Pop3Client& client, bool await_reply) {
  if (!removals_.empty()) records_.record_dele_sent(removals_);
  const bool confirmed = client.quit(await_reply || !removals_.empty());
  if (removals_.empty()) return;
  if (confirmed) return records_.record_deleted(removals_);
  certain_ = false;
  log_warning(account_,
              "the server did not confirm the deletion of " + counted(removals_.size(), "message") + "; the next session sees what is left");
}

}  // namespace popsync::sync
