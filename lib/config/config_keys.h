// SPDX-License-Identifier: MIT
// THE table of keys. The loader, the suggestion for a mistyped key, `popsync config`, and the tests that compare docs/configuration.md and
// config/popsync.toml with the program all work from it: a key exists exactly if it stands here. Pure, immutable, safe from any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/value.h"

namespace popsync::config {

// Limits of values, each with its reason where it is documented (docs/configuration.md).
constexpr std::int64_t kSessionsMax = 1000;
constexpr std::chrono::seconds kIntervalMin{10};
constexpr std::chrono::seconds kIntervalMax = std::chrono::hours(24 * 30);
constexpr std::chrono::seconds kSecretLifetimeMax = std::chrono::hours(24 * 30);
constexpr std::chrono::seconds kLeaveOnServerMin{1};
constexpr std::chrono::seconds kLeaveOnServerMax = std::chrono::hours(24 * 3650);
constexpr std::uint64_t kMessageOctetsMax = 1ULL << 40U;
constexpr std::uint64_t kFreeSpaceMax = 1ULL << 40U;

enum class OneOf { none, secret_source, mailstore };
enum class Section { daemon, account };  // [daemon]; [defaults] and [accounts.NAME]

struct Key {
  Section section = Section::account;
  std::string_view name;
  std::string_view type;          // "boolean", "duration", "\"on\" | \"off\"": as the documentation says it
  std::string_view default_text;  // as TOML; empty: none, or required
  std::string_view description;   // one line
  OneOf one_of = OneOf::none;     // an account has exactly one key of each such group
  bool required = false;          // in each account, from [defaults] if not its own

  // Puts a written value into the record, or says in Faults why not. The one that belongs to `section` is set, the other is null.
  void (*set_daemon)(const Value&, Daemon&, Faults&) = nullptr;
  void (*set_account)(const Value&, Account&, Faults&) = nullptr;
  // The value in force as TOML, secrets as "***"; empty: not set.
  std::string (*show_daemon)(const Daemon&) = nullptr;
  std::string (*show_account)(const Account&) = nullptr;
};

// In the order in which they are documented and printed.
std::span<const Key> all_keys();
// nullptr if there is none.
const Key* find_key(Section section, std::string_view name);
std::vector<std::string> key_names(Section section);

}  // namespace popsync::config
