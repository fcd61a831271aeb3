// SPDX-License-Identifier: MIT
#include "delivery/maildir_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "unit/config/temp_folder.h"

namespace popsync::delivery {
namespace {

using testing::ElementsAre;
namespace stdfs = std::filesystem;

struct Reader : testing::Test {
  Reader() {
    for (const char* part : {"tmp", "new", "cur"}) stdfs::create_directories(folder.path() + "/" + part);
  }
  MaildirReader reader() { return *MaildirReader::open(real_fs(), folder.path()); }

  config::TempFolder folder;
  const std::string header = "Message-ID: <1@x>\nSubject: s\n\n";
};

TEST_F(Reader, NamesAreThoseOfNewAndCurWithoutFlags) {
  folder.write("cur/b:2,S", "x");
  folder.write("new/a", "x");
  folder.write("new/.hidden", "x");
  folder.write("tmp/c", "x");
  EXPECT_THAT(reader().names(), ElementsAre("a", "b"));
  EXPECT_FALSE(MaildirReader::open(real_fs(), folder.path() + "/new"));
}

TEST_F(Reader, PrintsAreThoseOfTheMessageWhateverItsLineEnds) {
  const std::string body(200'000, 'b');
  folder.write("new/lf", header + body + "\n");
  folder.write("cur/crlf:2,", "Message-ID: <1@x>\r\nSubject: s\r\n\r\n" + body + "\r\n");
  MaildirReader maildir = reader();
  const auto lf = maildir.read_durably("lf");
  const auto crlf = maildir.read_durably("crlf");
  ASSERT_TRUE(lf && crlf);
  EXPECT_EQ(lf->prints.sha256, prints_of(header + body + "\n").sha256);
  EXPECT_EQ(crlf->prints.sha256, lf->prints.sha256);
  EXPECT_EQ(lf->wire_octets, header.size() + body.size() + 1 + 4);
  EXPECT_EQ(crlf->wire_octets, lf->wire_octets);
  EXPECT_NO_THROW(maildir.sync());
}

TEST_F(Reader, HeaderAloneHasTheHeaderHash) {
  folder.write("new/message", header + "From: in the body\nSubject: too\n");
  folder.write("new/header only", "Message-ID: <1@x>\nSubject: s\n");
  folder.write("new/long", "Received: " + std::string(100'000, 'r') + "\n" + header + "To: in the body\n");
  folder.write("new/no header", "\nSubject: in the body\n");
  folder.write("new/lone cr", "Subject: s\r");
  MaildirReader maildir = reader();
  const std::string hash = prints_of(header).header_hash;
  EXPECT_EQ(maildir.header_of("message")->prints.header_hash, hash);
  EXPECT_TRUE(maildir.header_of("message")->prints.has_message_id);
  EXPECT_EQ(maildir.header_of("header only")->prints.header_hash, hash);
  EXPECT_EQ(maildir.header_of("long")->prints.header_hash, hash);
  EXPECT_EQ(maildir.header_of("no header")->prints.header_hash, prints_of("").header_hash);
  EXPECT_EQ(maildir.header_of("lone cr")->prints.header_hash, prints_of("Subject: s\r").header_hash);
}

TEST_F(Reader, FileThatAReaderRenamesIsFoundAgainAndOneThatIsGoneIsNot) {
  folder.write("new/moved", header);
  folder.write("new/gone", header);
  stdfs::create_directory(folder.path() + "/cur/folder");
  MaildirReader maildir = reader();
  stdfs::rename(folder.path() + "/new/moved", folder.path() + "/cur/moved:2,S");
  stdfs::remove(folder.path() + "/new/gone");
  EXPECT_TRUE(maildir.read_durably("moved"));
  EXPECT_FALSE(maildir.read_durably("gone"));
  EXPECT_FALSE(maildir.header_of("folder"));
  EXPECT_FALSE(maildir.header_of("never there"));
}

}  // namespace
}  // namespace popsync::delivery
