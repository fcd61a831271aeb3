// SPDX-License-Identifier: MIT
// Certificates for tests: an authority of our own and what it signs, EC P-256, as PEM files in a folder of the caller's. Throws std::runtime_error.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace popsync::test {

struct CertificateSpec {
  std::string common_name = "localhost";
  std::vector<std::string> dns_names = {"localhost"};
  std::vector<std::string> ip_addresses = {"127.0.0.1"};
  int valid_from_days = -1;  // from now; 1: not yet valid
  int valid_to_days = 30;    // from now; -1 (with an earlier start): expired
  bool self_signed = false;  // signed by its own key, not by the authority
};

struct CertificateFiles {
  std::string ca_file;           // what a client has to trust
  std::string certificate_file;  // PEM
  std::string key_file;          // PEM, 0600
  std::string spki_sha256_hex;   // of the certificate's public key: what tls_pin_sha256 takes
};

class CertificateAuthority {
 public:
  // Writes FOLDER/<name>.pem; the folder exists.
  explicit CertificateAuthority(std::string folder, const std::string& name = "ca");
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;
  ~CertificateAuthority();

  [[nodiscard]] const std::string& ca_file() const { return ca_file_; }
  // Writes FOLDER/<name>.crt and FOLDER/<name>.key; good for servers and clients. `ca_file` is this authority's (self-signed: not one it chains to).
  [[nodiscard]] CertificateFiles issue(const std::string& name = "server", const CertificateSpec& spec = {}) const;

 private:
  struct Keys;
  std::string folder_;
  std::string ca_file_;
  std::unique_ptr<Keys> keys_;
};

}  // namespace popsync::test
