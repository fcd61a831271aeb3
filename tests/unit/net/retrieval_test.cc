// SPDX-License-Identifier: MIT
#include "net/retrieval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "net/pop3_client.h"

namespace popsync::net {
namespace {

// Answers one command at each receive(), and keeps what was under way at most.
class SteadyServer : public Transport {
 public:
  // From here on it counts.
  void begin() {
    writes_.clear();
    first_burst_.clear();
    most_octets_ = 0;
  }

  std::size_t receive(std::span<char> buffer, SteadyTime /*deadline*/) override {
    if (first_burst_.empty()) first_burst_ = commands_;
    const std::string reply = greeted_ ? answer() : "+OK ready\r\n";
    greeted_ = true;
    std::ranges::copy(reply, buffer.begin());
    return reply.size();
  }
  void send(std::string_view octets, SteadyTime /*deadline*/) override {
    writes_.push_back(octets.size());
    octets_ += octets.size();
    most_octets_ = std::max(most_octets_, octets_);
    while (!octets.empty()) {
      const std::size_t end = octets.find("\r\n") + 2;
      commands_.emplace_back(octets.substr(0, end));
      octets.remove_prefix(end);
    }
  }
  bool input_waiting() override { return false; }
  void start_tls(SteadyTime /*deadline*/) override {}
  [[nodiscard]] bool secure() const override { return false; }
  [[nodiscard]] std::string description() const override { return "memory"; }

  [[nodiscard]] const std::vector<std::size_t>& writes() const { return writes_; }
  [[nodiscard]] std::size_t most_octets() const { return most_octets_; }
  [[nodiscard]] std::size_t first_retrs() const {
    return static_cast<std::size_t>(std::ranges::count_if(first_burst_, [](const std::string& command) { return command.starts_with("RETR"); }));
  }

 private:
  std::string answer() {
    const std::string command = commands_.front();
    commands_.pop_front();
    octets_ -= command.size();
    if (command == "CAPA\r\n") return "-ERR\r\n";
    if (command.starts_with("RETR")) return "+OK\r\nx\r\n.\r\n";
    if (!command.starts_with("UIDL")) return "+OK\r\n";
    const std::string number = command.substr(5, command.size() - 7);
    return "+OK " + number + " u" + number + "\r\n";
  }

  bool greeted_ = false;
  std::deque<std::string> commands_;
  std::deque<std::string> first_burst_;  // what had been sent before anything was answered
  std::vector<std::size_t> writes_;
  std::size_t octets_ = 0;
  std::size_t most_octets_ = 0;
};

class Proven : public RetrievalSink {
 public:
  void begin(std::size_t /*index*/) override {}
  void body(std::size_t /*index*/, std::string_view /*octets*/) override {}
  void complete(std::size_t /*index*/) override {}
  void proven(std::size_t /*index*/) override { ++count; }
  void refused(std::size_t /*index*/, const pop3::StatusLine& /*line*/) override {}
  std::size_t count = 0;
};

struct Window : testing::Test {
  void retrieve_ahead(std::size_t messages, std::uint64_t list_size) {
    std::vector<pop3::ListingEntry> entries;
    for (std::uint32_t n = 1; n <= messages; ++n) entries.push_back({.number = {n}, .uid = {"u" + std::to_string(n)}, .list_size = list_size});
    Pop3Client client(server, system_clock(), {});
    client.open({.tls = TlsMode::none, .allow_insecure_auth = true, .user = "alice"}, [] { return std::string_view("open-sesame"); });
    server.begin();
    retrieve(client.connection(), entries, Marker::uidl, Sending::ahead, proven);
    EXPECT_EQ(proven.count, messages);
  }

  SteadyServer server;
  Proven proven;
};

constexpr std::size_t kCommandsOfOneMax = 32;  // RETR and its marker, with six digits

TEST_F(Window, HoldsSoManyOctetsOfCommandsAndNoMessageMore) {
  retrieve_ahead(3000, 3);
  EXPECT_GE(server.most_octets(), kWindowCommandOctetsMax);
  EXPECT_LT(server.most_octets(), kWindowCommandOctetsMax + kCommandsOfOneMax);
}

TEST_F(Window, IsRefilledInLargePieces) {
  retrieve_ahead(3000, 3);
  const auto& writes = server.writes();
  ASSERT_GE(writes.size(), 3U);
  const std::size_t smallest = *std::min_element(writes.begin(), writes.end() - 1);  // the last one has what is left
  EXPECT_GE(smallest, kWindowCommandOctetsMax - kWindowRefilledBelow);
}

TEST_F(Window, HoldsSoManyOctetsOfMessages) {
  retrieve_ahead(10, kWindowOctetsMax / 2);
  EXPECT_EQ(server.first_retrs(), 2U);
}

TEST_F(Window, HoldsNoOctetMore) {
  retrieve_ahead(10, kWindowOctetsMax / 2 + 1);
  EXPECT_EQ(server.first_retrs(), 1U);
}

TEST_F(Window, LetsALargerMessagePassAlone) {
  retrieve_ahead(3, kWindowOctetsMax + 1);
  EXPECT_EQ(server.first_retrs(), 1U);
}

}  // namespace
}  // namespace popsync::net
