// SPDX-License-Identifier: MIT
// What the tests of lib/net share: a stop, a temporary folder, and a connect() whose names all live on 127.0.0.1.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/stop_signal.h"
#include "net/poco_transport.h"
#include "test_server.h"

namespace popsync::net::testing {

inline Address address_of(const std::string& ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  POPSYNC_ASSERT(::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) == 1);
  Address made;
  std::memcpy(&made.storage, &address, sizeof address);
  made.size = sizeof address;
  return made;
}

template <typename Operation>
Error error_of(Operation operation) {
  try {
    operation();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::bug, "no error"};
}

class NetTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  static SteadyTime in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }
  static SteadyTime soon() { return in(std::chrono::milliseconds(50)); }  // for what must time out
  static SteadyTime later() { return in(std::chrono::minutes(2)); }       // for what must not

  std::string file_with(const std::string& content) {
    if (folder_.empty()) {
      std::string name = ::testing::TempDir() + "/popsync-net-XXXXXX";
      POPSYNC_ASSERT(::mkdtemp(name.data()) != nullptr);
      folder_ = name;
    }
    const std::string path = folder_ + "/ca.pem";
    std::ofstream(path) << content;
    return path;
  }

  TlsPolicy trusting(const Identity& authority) { return {.ca_file = file_with(authority.pem())}; }
  static TlsPolicy cleartext() { return {.mode = TlsMode::none}; }

  std::unique_ptr<Transport> connect_to(const TestServer& server, const std::string& host, const TlsPolicy& policy) {
    return connect({.host = host, .port = server.port()}, policy, stop_, options_);
  }

  static std::string receive(Transport& transport, SteadyTime deadline) {
    std::array<char, 4096> buffer{};
    return {buffer.data(), transport.receive(buffer, deadline)};
  }
  static std::string receive_exactly(Transport& transport, std::size_t count) {
    std::string octets;
    while (octets.size() < count) {
      const std::string more = receive(transport, later());
      if (more.empty()) break;
      octets += more;
    }
    return octets;
  }

  std::string folder_;
  std::stop_source stop_source_;
  StopSignal stop_{stop_source_.get_token()};
  ConnectOptions options_{
      .lookup = [](const std::string&, std::uint16_t port) { return LookupResult{.addresses = {address_of("127.0.0.1", port)}}; }};
};

}  // namespace popsync::net::testing
