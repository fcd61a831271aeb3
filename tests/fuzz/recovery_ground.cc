// SPDX-License-Identifier: MIT
#include "fuzz/recovery_ground.h"

#include <spdlog/sinks/null_sink.h>

#include <fstream>
#include <iterator>

#include "base/log.h"
#include "delivery/message_prints.h"

namespace popsync::fuzz {

RecoveryGround::RecoveryGround(const std::string& name) : folder(name) { log_to(std::make_shared<spdlog::sinks::null_sink_mt>()); }

AccountForAWhile::AccountForAWhile(state::StateStore& store) : store_(store) {
  row_.id = "0123456789abcdef";
  row_.name = "work";
  row_.host = "pop.example.org";
  row_.user = "me";
  auto transaction = store_.begin();
  transaction.insert_account(row_);
  transaction.commit();
}

AccountForAWhile::~AccountForAWhile() {
  auto transaction = store_.begin();
  transaction.forget_account(row_.id);
  transaction.commit();
}

state::NewStaged staged_row(const std::string& account, const state::MailstoreRow& mailstore, const std::string& name, const std::string& content) {
  const delivery::Prints prints = delivery::prints_of(content);
  return {.account = account,
          .mailstore = mailstore.id,
          .uid = {"uid of " + name},
          .list_size = content.size(),
          .prints = {.wire_octets = content.size(),
                     .stored_size = prints.stored_size,
                     .sha256 = prints.sha256,
                     .fingerprint = prints.fingerprint,
                     .header_hash = prints.header_hash,
                     .has_message_id = false},
          .name = name};
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace popsync::fuzz
