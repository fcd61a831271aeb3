// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "net/pop3_client.h"

namespace popsync::net {
namespace {

// Greets, and answers CAPA with a list of so many octets.
class Announcer : public Transport {
 public:
  explicit Announcer(std::size_t octets) {
    std::string list = "+OK\r\n";
    for (std::size_t left = octets; left > 0;) {
      const std::size_t line = std::min<std::size_t>(left, 1000);
      list += std::string(line, 'X') + "\r\n";
      left -= line;
    }
    waiting_ = "+OK ready\r\n";
    capa_ = list + ".\r\n";
  }
  std::size_t receive(std::span<char> buffer, SteadyTime /*deadline*/) override {
    if (waiting_.empty()) throw Error(ErrorCode::timeout, "the server is silent");
    const std::size_t size = std::min(buffer.size(), waiting_.size());
    std::copy_n(waiting_.begin(), size, buffer.begin());
    waiting_.erase(0, size);
    return size;
  }
  void send(std::string_view octets, SteadyTime /*deadline*/) override { waiting_ += octets == "CAPA\r\n" ? capa_ : "+OK\r\n"; }
  bool input_waiting() override { return !waiting_.empty(); }
  void start_tls(SteadyTime /*deadline*/) override {}
  [[nodiscard]] bool secure() const override { return true; }
  [[nodiscard]] std::string description() const override { return "memory"; }

 private:
  std::string waiting_;
  std::string capa_;
};

void open_with_list_of(std::size_t octets) {
  Announcer server(octets);
  Pop3Client client(server, system_clock(), {});
  client.open({.user = "alice"}, [] { return std::string_view("open-sesame"); });
}

TEST(CollectedList, IsTakenUpToSoManyOctetsAndNotOneMore) {
  EXPECT_NO_THROW(open_with_list_of(kCollectedListOctetsMax));
  try {
    open_with_list_of(kCollectedListOctetsMax + 1);
    ADD_FAILURE() << "one octet too much was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_pop3);
  }
}

}  // namespace
}  // namespace popsync::net
