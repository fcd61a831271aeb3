// SPDX-License-Identifier: MIT
#include "delivery/message_prints.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace popsync::delivery {
namespace {

using namespace std::string_literals;

const std::string kMessage =
    "Received: from a\n\tby b\n"
    "Message-ID: <1@example.org>\n"
    "Date: Sat, 31 Jan 2026 08:30:00 +0000\n"
    "From: a@example.org\n"
    "To: b@example.org\n"
    "Subject: folded\n onto two lines\n"
    "\n"
    "Status: text of the body\nbody\n";

// Puts a header line in front of the message.
std::string with(const std::string& line, const std::string& message = kMessage) { return line + "\n" + message; }

std::string replaced(const std::string& what, const std::string& by) {
  std::string out = kMessage;
  out.replace(out.find(what), what.size(), by);
  return out;
}

TEST(MessagePrints, Sha256AndSizeAreThoseOfEveryOctet) {
  for (const std::string& message : {kMessage, with("Status: RO"), ""s, "x"s, "\n"s, "\0\r\n\xff"s}) {
    const Prints prints = prints_of(message);
    EXPECT_EQ(prints.sha256, sha256(message));
    EXPECT_EQ(prints.stored_size, message.size());
  }
}

TEST(MessagePrints, WithoutAVolatileFieldTheFingerprintIsTheSha256) { EXPECT_EQ(prints_of(kMessage).fingerprint, sha256(kMessage)); }

TEST(MessagePrints, VolatileFieldsChangeTheSha256AndNotTheFingerprint) {
  const Prints plain = prints_of(kMessage);
  for (const std::string line :
       {"Status: RO", "X-Status: A", "X-UID: 17", "X-UIDL: abc", "X-Keywords: NonJunk", "Content-Length: 1234", "X-IMAPbase: 1700000000 17",
        "X-IMAP: 1 2", "STATUS: R", "status : R", "x-imapBASE:", "Status: R\n\tfolded\n  again", "Content-Length:1\nStatus: O"}) {
    const Prints prints = prints_of(with(line));
    EXPECT_NE(prints.sha256, plain.sha256) << line;
    EXPECT_EQ(prints.fingerprint, plain.fingerprint) << line;
    EXPECT_EQ(prints.header_hash, plain.header_hash) << line;
  }
}

TEST(MessagePrints, AVolatileFieldAnywhereInTheHeaderIsLeftOut) {
  std::string message = kMessage;
  message.insert(message.find("From:"), "X-Status: F\n");
  message.insert(message.find("\n\n") + 1, "Status: O\n");
  EXPECT_EQ(prints_of(message).fingerprint, prints_of(kMessage).fingerprint);
}

TEST(MessagePrints, OtherFieldsChangeTheFingerprint) {
  const Prints plain = prints_of(kMessage);
  for (const std::string line :
       {"X-Other: 1", "Statuses: RO", "X-Statu: A", "Xstatus: 1", "X-UI: 1", "Status", "Status RO", "Content-Length-X: 1", " Status: RO"}) {
    EXPECT_NE(prints_of(with(line)).fingerprint, plain.fingerprint) << line;
  }
}

TEST(MessagePrints, WhatLooksLikeAFieldInTheBodyIsBody) {
  EXPECT_NE(prints_of(replaced("Status: text", "Status: TEXT")).fingerprint, prints_of(kMessage).fingerprint);
}

TEST(MessagePrints, AContinuationLineBelongsToTheFieldAbove) {
  // of an identifying field
  EXPECT_NE(prints_of(replaced(" onto two lines", " onto 2 lines")).header_hash, prints_of(kMessage).header_hash);
  // of an ordinary one, even if it reads like an identifying one
  EXPECT_EQ(prints_of(replaced("\tby b", "\tSubject: b")).header_hash, prints_of(kMessage).header_hash);
}

TEST(MessagePrints, TheHeaderHashIsThatOfFiveFields) {
  const Prints plain = prints_of(kMessage);
  for (const std::string what : {"<1@example", "08:30", "From: a", "To: b", "folded"}) {
    EXPECT_NE(prints_of(replaced(what, "changed" + what)).header_hash, plain.header_hash) << what;
  }
  for (const std::string what : {"Received: from a", "body\n", "Status: text"}) {
    EXPECT_EQ(prints_of(replaced(what, "changed" + what)).header_hash, plain.header_hash) << what;
  }
  EXPECT_EQ(prints_of(with("Cc: c@example.org\nX-Virus: none\nReply-To: d\nX-From: e")).header_hash, plain.header_hash);
}

TEST(MessagePrints, AMessageIdIsKnownInAnyCaseAndOnlyInTheHeader) {
  EXPECT_TRUE(prints_of(kMessage).has_message_id);
  EXPECT_TRUE(prints_of("message-id: <1@x>\n").has_message_id);
  EXPECT_FALSE(prints_of("Subject: x\n\nMessage-ID: <1@x>\n").has_message_id);
  EXPECT_FALSE(prints_of("X-Message-ID: <1@x>\n\n").has_message_id);
  EXPECT_FALSE(prints_of("Subject: x\n Message-ID: <1@x>\n\n").has_message_id);
}

// protocol.md 89
TEST(MessagePrints, MessagesWithoutHeaderBodyOrAnythingHaveTheirPrints) {
  for (const std::string& message : {""s, "\n"s, "\nbody only\n"s, "no header at all"s, "Subject: header only\n"s, "Subject: no line end"s,
                                     "Subject"s, "Status"s, " begins folded\nSubject: x\n"s, "\r\n\r\n"s, ":\n"s, "From x Sat\nSubject: x\n\n"s}) {
    const Prints prints = prints_of(message);
    EXPECT_EQ(prints.sha256, sha256(message));
    EXPECT_EQ(prints.fingerprint, sha256(message));
    EXPECT_EQ(prints.header_hash.size(), kSha256Octets);
  }
  EXPECT_EQ(prints_of("Status: R").fingerprint, sha256(""));
  EXPECT_EQ(prints_of("Status: R\n\n").fingerprint, sha256("\n"));
}

TEST(MessagePrints, AFieldNameOfAnyLengthIsReadInBoundedMemory) {
  const std::string long_name(100'000, 'x');
  const std::string line = long_name + ": Status: R";
  EXPECT_EQ(prints_of(with(line)).fingerprint, sha256(with(line)));
  EXPECT_EQ(prints_of(with(line)).header_hash, prints_of(kMessage).header_hash);
  // The line behind it is read as a field again.
  EXPECT_EQ(prints_of(with(line, with("Status: R"))).fingerprint, sha256(with(line)));
}

TEST(MessagePrints, AnySegmentationGivesEqualPrints) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::vector<std::string> pieces = {
      "Status", ":", " ", "\n", "\r\n", "Message-ID", "x-imapbase", "\t", "Subject: x\n", "body", "\n\n", "X"s, std::string(30, 'n'), "\0"s};
  for (int round = 0; round < 3000; ++round) {
    std::string message = random() % 3 == 0 ? kMessage : "";
    for (std::size_t count = random() % 12; count > 0; --count) message.insert(random() % (message.size() + 1), pieces[random() % pieces.size()]);
    const Prints whole = prints_of(message);
    MessagePrinter printer;
    const std::size_t size_max = 1 + random() % 8;
    for (std::size_t from = 0, size = 0; from < message.size(); from += size) {
      size = 1 + random() % size_max;
      printer.update(std::string_view(message).substr(from, size));
    }
    const Prints parts = printer.finish();
    EXPECT_EQ(parts.stored_size, whole.stored_size);
    EXPECT_EQ(parts.sha256, whole.sha256);
    EXPECT_EQ(parts.fingerprint, whole.fingerprint);
    EXPECT_EQ(parts.header_hash, whole.header_hash);
    EXPECT_EQ(parts.has_message_id, whole.has_message_id);
  }
}

}  // namespace
}  // namespace popsync::delivery
