// SPDX-License-Identifier: MIT
#include "net/authorities.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>

#include "base/error.h"

namespace popsync::net {
namespace {

// Tells one state of a file or directory from the next.
struct Version {
  std::string path;
  std::array<std::int64_t, 5> marks{};
  bool operator==(const Version&) const = default;
};

Version version_of(const char* variable, const char* fallback) {
  const char* chosen = std::getenv(variable);
  Version version{.path = chosen != nullptr ? chosen : fallback};
  struct stat facts {};
  if (::stat(version.path.c_str(), &facts) == 0) {
    version.marks = {static_cast<std::int64_t>(facts.st_dev), static_cast<std::int64_t>(facts.st_ino), static_cast<std::int64_t>(facts.st_size),
                     facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec};
  }
  return version;
}

std::shared_ptr<X509_STORE> load() {
  std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
  const bool loaded = store && X509_STORE_set_default_paths(store.get()) == 1;
  ERR_clear_error();
  if (!loaded) throw Error(ErrorCode::tls_failed, "cannot load the system's certificate authorities");
  return store;
}

struct Cache {
  std::mutex mutex;  // guards all below; held while loading, so that only one thread parses
  std::array<Version, 2> versions;
  std::shared_ptr<X509_STORE> store;
};

}  // namespace

std::shared_ptr<X509_STORE> system_authorities() {
  static Cache cache;
  const std::lock_guard lock(cache.mutex);
  const std::array<Version, 2> now = {version_of(X509_get_default_cert_file_env(), X509_get_default_cert_file()),
                                      version_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())};
  if (!cache.store || cache.versions != now) {
    cache.store = load();
    cache.versions = now;
  }
  return cache.store;
}

}  // namespace popsync::net
