// SPDX-License-Identifier: MIT
#include <netdb.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "net/dial.h"
#include "net/tls_failure.h"
#include "net_fixture.h"

namespace popsync::net {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct NameCase {
  std::string host;
  std::string text;
  bool is_ip;
};

TEST(ServerName, IsWhatDnsAndCertificatesAreAskedFor) {
  for (const NameCase& c : {
           NameCase{"pop.example.org", "pop.example.org", false},
           NameCase{"pop.example.org.", "pop.example.org", false},
           NameCase{"b\u00fccher.example", "xn--bcher-kva.example", false},
           NameCase{"mail.\u4f8b\u3048.jp", "mail.xn--r8jz45g.jp", false},
           NameCase{"127.0.0.1", "127.0.0.1", true},
           NameCase{"::1", "::1", true},
           NameCase{"[2001:db8::1]", "2001:db8::1", true},
           NameCase{"fe80::1%eth0", "fe80::1%eth0", true},
           NameCase{"127.1", "127.1", false},
       }) {
    const ServerName name = server_name(c.host);
    EXPECT_EQ(name.text, c.text);
    EXPECT_EQ(name.is_ip, c.is_ip) << c.host;
  }
}

TEST(ServerName, ThatIsNoneIsAConfigurationError) {
  for (const std::string& host : {std::string(), std::string("."), std::string("\xff\xfe.example"), std::string("a\0b", 3)}) {
    EXPECT_EQ(error_of([&] { server_name(host); }).code(), ErrorCode::configuration) << host;
  }
}

class Resolve : public NetTest {
 protected:
  Error failure(const LookupResult& result) {
    return error_of([&] {
      resolve(
          server_name("pop.example.org"), 995, [&](const std::string&, std::uint16_t) { return result; }, stop_, later());
    });
  }
};

TEST_F(Resolve, TellsANameThatDoesNotExistFromAResolverInTrouble) {
  EXPECT_EQ(failure({.status = EAI_NONAME}).code(), ErrorCode::host_unknown);
  EXPECT_EQ(failure({.status = EAI_NODATA}).code(), ErrorCode::host_unknown);
  EXPECT_EQ(failure({}).code(), ErrorCode::host_unknown);  // found, but no address
  EXPECT_EQ(failure({.status = EAI_AGAIN}).code(), ErrorCode::dns_temporary);
  EXPECT_EQ(failure({.status = EAI_FAIL}).code(), ErrorCode::dns_temporary);
  EXPECT_EQ(failure({.status = EAI_MEMORY}).code(), ErrorCode::dns_temporary);
  const Error system = failure({.status = EAI_SYSTEM, .system_error = EMFILE});
  EXPECT_EQ(system.code(), ErrorCode::dns_temporary);
  EXPECT_THAT(system.message(), HasSubstr("Too many open files"));
}

TEST_F(Resolve, ExceptionOfTheLookupArrives) {
  const Lookup broken = [](const std::string&, std::uint16_t) -> LookupResult { throw Error(ErrorCode::bug, "broken"); };
  EXPECT_EQ(error_of([&] { resolve(server_name("x.example"), 1, broken, stop_, later()); }).code(), ErrorCode::bug);
}

// The lookup outlives resolve(): it may touch nothing but what it owns.
class BlockedLookup : public Resolve {
 protected:
  void TearDown() override {
    release_->set_value();
    ended_.wait();
    Resolve::TearDown();
  }

  std::shared_ptr<std::promise<void>> started_ = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::promise<void>> release_ = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::promise<void>> end_ = std::make_shared<std::promise<void>>();
  std::future<void> ended_ = end_->get_future();
  Lookup lookup_ = [started = started_, release = release_, end = end_](const std::string&, std::uint16_t) {
    started->set_value();
    release->get_future().wait();
    end->set_value();
    return LookupResult{};
  };
};

TEST_F(BlockedLookup, IsLeftBehindAtTheDeadline) {
  const Error error = error_of([&] { resolve(server_name("pop.example.org"), 995, lookup_, stop_, soon()); });
  EXPECT_EQ(error.code(), ErrorCode::dns_temporary);
  EXPECT_THAT(error.message(), HasSubstr("did not answer in time"));
}

TEST_F(BlockedLookup, IsLeftBehindOnStop) {
  std::thread stopper([&] {
    started_->get_future().wait();
    stop_source_.request_stop();
  });
  EXPECT_EQ(error_of([&] { resolve(server_name("pop.example.org"), 995, lookup_, stop_, later()); }).code(), ErrorCode::interrupted);
  stopper.join();
}

// As many lookups as there may be, none of which ends before it is told to.
class AllLookupsBlocked : public Resolve {
 protected:
  struct Shared {
    std::mutex mutex;  // guards all
    std::condition_variable changed;
    std::size_t started = 0;
    std::size_t released = 0;
    std::size_t ended = 0;
  };

  void SetUp() override {
    Resolve::SetUp();
    for (std::size_t i = 0; i < kLookupThreadsMax; ++i) {
      // Left behind once it runs.
      std::stop_source left;
      const StopSignal stop(left.get_token());
      const std::jthread stopper([&] {
        await([&] { return shared_->started > i; });
        left.request_stop();
      });
      EXPECT_EQ(error_of([&] { resolve(server_name("hangs.example.org"), 995, lookup_, stop, later()); }).code(), ErrorCode::interrupted);
    }
  }
  void TearDown() override {
    release(kLookupThreadsMax);
    await([&] { return shared_->ended == shared_->started; });
    Resolve::TearDown();
  }
  void await(const std::function<bool()>& condition) {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait(lock, condition);
  }
  void release(std::size_t count) {
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->released += count;
    }
    shared_->changed.notify_all();
  }
  static LookupResult answer() { return system_lookup("127.0.0.1", 995); }

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Lookup lookup_ = [shared = shared_](const std::string&, std::uint16_t) {
    std::unique_lock lock(shared->mutex);
    ++shared->started;
    shared->changed.notify_all();
    shared->changed.wait(lock, [&] { return shared->released > 0; });
    --shared->released;
    ++shared->ended;
    shared->changed.notify_all();
    return LookupResult{};
  };
};

TEST_F(AllLookupsBlocked, OneMoreIsRefusedAtItsDeadlineAndStartsNoThread) {
  bool asked = false;
  const Error error = error_of([&] {
    resolve(
        server_name("pop.example.org"), 995,
        [&](const std::string&, std::uint16_t) {
          asked = true;
          return answer();
        },
        stop_, soon());
  });
  EXPECT_EQ(error.code(), ErrorCode::dns_temporary);
  EXPECT_THAT(error.message(), HasSubstr("cannot look up pop.example.org: the resolver has not answered 64 earlier questions yet"));
  EXPECT_FALSE(asked);
}

TEST_F(AllLookupsBlocked, OneMoreHearsTheStop) {
  stop_source_.request_stop();
  EXPECT_EQ(error_of([&] { resolve(server_name("pop.example.org"), 995, lookup_, stop_, later()); }).code(), ErrorCode::interrupted);
}

TEST_F(AllLookupsBlocked, OneMoreIsAnsweredOnceOneHasEnded) {
  const std::jthread releaser([&] { release(1); });
  const auto found = resolve(
      server_name("pop.example.org"), 995, [](const std::string&, std::uint16_t) { return answer(); }, stop_, later());
  EXPECT_EQ(found.size(), 1U);
}

// What needs no question needs no thread either.
TEST_F(AllLookupsBlocked, AnAddressIsNotHeldUp) { EXPECT_EQ(resolve(server_name("127.0.0.1"), 995, system_lookup, stop_, soon()).size(), 1U); }

TEST(SystemLookup, KnowsAddressesWithTheirPort) {
  const LookupResult result = system_lookup("127.0.0.1", 995);
  ASSERT_EQ(result.status, 0);
  ASSERT_EQ(result.addresses.size(), 1U);
  EXPECT_EQ(to_text(result.addresses.front()), "127.0.0.1");
  EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in&>(result.addresses.front().storage).sin_port), 995);
  EXPECT_EQ(to_text(system_lookup("2001:db8::1", 995).addresses.front()), "2001:db8::1");
}

struct ShareCase {
  std::chrono::milliseconds remaining;
  std::size_t addresses_left;
  std::chrono::milliseconds share;
};

TEST(FairShare, IsEqualButNeverTooShortForALostSegment) {
  for (const ShareCase& c : {ShareCase{20s, 1, 20s}, ShareCase{20s, 2, 10s}, ShareCase{20s, 20, 2s}, ShareCase{1500ms, 4, 1500ms},
                             ShareCase{0s, 1, 0s}, ShareCase{20s, 0, 20s}}) {
    EXPECT_EQ(fair_share(c.remaining, c.addresses_left), c.share);
  }
}

TEST(OpensslCode, IsReadFromTheTextOfAnException) {
  EXPECT_EQ(openssl_code("SSL Exception: error:0A000126:SSL routines::unexpected eof while reading"), 0x0A000126UL);
  EXPECT_TRUE(is_truncation(0x0A000126UL));
  EXPECT_FALSE(is_truncation(0x0A000102UL));
  EXPECT_EQ(openssl_code("Connection reset by peer"), 0U);
  EXPECT_EQ(openssl_code("error:"), 0U);
}

TEST(TlsRecord, IsToldFromCleartextByItsHeader) {
  EXPECT_TRUE(is_tls_record("\x16\x03\x03"));
  EXPECT_TRUE(is_tls_record("\x15\x03\x01"));
  EXPECT_FALSE(is_tls_record("+OK"));
  EXPECT_FALSE(is_tls_record("\x16"));
  EXPECT_FALSE(is_tls_record("\x16\x02\x00"));
}

}  // namespace
}  // namespace popsync::net
