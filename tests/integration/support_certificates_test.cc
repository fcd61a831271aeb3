// SPDX-License-Identifier: MIT
#include "support/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <stdexcept>

#include "support/maildrop_server.h"
#include "support/raw_client.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

// "" if a client that trusts `ca_file` and wants `host` is content, else OpenSSL's reason.
std::string verdict(const CertificateFiles& certificate, const std::string& ca_file, const std::string& host = "localhost") {
  const MaildropServer server({.tls = ServerTls::implicit, .certificate = certificate});
  RawClient client(server.port());
  try {
    client.start_tls(ca_file, host);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

struct CertificatesTest : testing::Test {
  const TempFolder folder{"certificates"};
  const CertificateAuthority authority{folder.path()};
};

TEST_F(CertificatesTest, GoodCertificateIsAccepted) {
  const CertificateFiles files = authority.issue();
  EXPECT_EQ(verdict(files, files.ca_file), "");
  EXPECT_EQ(files.spki_sha256_hex.size(), 64U);
  struct stat status {};
  ASSERT_EQ(::stat(files.key_file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(CertificatesTest, OtherNameIsRefused) {
  EXPECT_EQ(verdict(authority.issue("other", {.dns_names = {"pop.example.org"}}), authority.ca_file()), "hostname mismatch");
}

TEST_F(CertificatesTest, NameWithNulDoesNotMatchItsBeginning) {
  using namespace std::string_literals;
  EXPECT_NE(verdict(authority.issue("nul", {.dns_names = {"localhost\0.evil.example"s}}), authority.ca_file()), "");
}

TEST_F(CertificatesTest, ExpiredAndNotYetValidAreRefused) {
  EXPECT_EQ(verdict(authority.issue("old", {.valid_from_days = -10, .valid_to_days = -1}), authority.ca_file()), "certificate has expired");
  EXPECT_EQ(verdict(authority.issue("new", {.valid_from_days = 1}), authority.ca_file()), "certificate is not yet valid");
}

TEST_F(CertificatesTest, SelfSignedAndForeignAuthorityAreRefused) {
  EXPECT_EQ(verdict(authority.issue("self", {.self_signed = true}), authority.ca_file()), "self-signed certificate");
  const CertificateAuthority stranger(folder.path(), "stranger");
  EXPECT_EQ(verdict(stranger.issue("strange"), authority.ca_file()), "unable to get local issuer certificate");
}

TEST_F(CertificatesTest, AddressThatIsNoneThrows) { EXPECT_THROW((void)authority.issue("bad", {.ip_addresses = {"nowhere"}}), std::runtime_error); }

}  // namespace
}  // namespace popsync::test
