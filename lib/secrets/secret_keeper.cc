// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "base/random.h"
#include "secrets/secret_source.h"

namespace popsync::secrets {
namespace {

// What changes when a file is written anew or replaced; seconds alone would miss a second change.
struct Stamp {
  std::int64_t modified_s = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t inode = 0;
  bool operator==(const Stamp&) const = default;
};

std::optional<Stamp> stamp_of(const SecretSpec& spec) {
  std::optional<std::string> path;
  if (spec.kind == SourceKind::file) path = spec.value;
  if (spec.kind == SourceKind::credential) path = credential_path(spec.value);
  struct stat status {};
  if (!path || ::stat(path->c_str(), &status) != 0) return std::nullopt;
  return Stamp{status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino};
}

std::string fingerprint_of(const Secret& secret) {
  static const std::string key = random_octets(kSha256Octets);
  return hmac_sha256(key, secret.reveal());
}

}  // namespace

struct SecretKeeper::Kept {
  std::shared_ptr<const Secret> secret;
  SteadyTime read_at;
  std::optional<Stamp> stamp;
};

SecretKeeper::SecretKeeper(SecretSpec spec, std::vector<std::string> hidden_variables, std::chrono::seconds lifetime)
    : spec_(std::move(spec)), hidden_variables_(std::move(hidden_variables)), lifetime_(lifetime) {}

SecretKeeper::~SecretKeeper() = default;

std::shared_ptr<const Secret> SecretKeeper::get(const StopSignal& stop) {
  // Before the read: a file replaced in between is then read again at the next call.
  const std::optional<Stamp> stamp = stamp_of(spec_);
  const bool expired = kept_ && system_clock().steady() - kept_->read_at >= lifetime_;
  // A file that is gone (an encrypted home locked again) has no new time: what was read from it stays good for its lifetime.
  const bool replaced = kept_ && stamp && stamp != kept_->stamp;
  if (kept_ && !expired && !replaced) return kept_->secret;
  kept_.reset();
  auto secret = std::make_shared<const Secret>(read_secret(spec_, hidden_variables_, stop));
  fingerprint_ = fingerprint_of(*secret);
  if (lifetime_ > std::chrono::seconds(0)) kept_ = std::make_unique<Kept>(Kept{secret, system_clock().steady(), stamp});
  return secret;
}

void SecretKeeper::forget() { kept_.reset(); }

}  // namespace popsync::secrets
