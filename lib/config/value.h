// SPDX-License-Identifier: MIT
// What a configuration file says, with its place, free of the TOML library: the key table is pure and tested without files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/diagnostic.h"

namespace popsync::config {

constexpr std::size_t kPathOctetsMax = 4096;  // PATH_MAX: a place is shown whole, or nobody finds it

struct Entry;

struct Value {
  enum class Kind { boolean, integer, real, text, time, list, table };
  Kind kind = Kind::table;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;
  std::vector<Value> list;
  std::vector<Entry> table;  // in the order of the file
  Origin where;
};

struct Entry {
  std::string key;
  Origin where;  // of the key
  Value value;
};

// "a string", "a number", "a list": never the value itself, it may be a password.
std::string_view kind_text(Value::Kind kind);
// A string as TOML writes it, quotes included.
std::string toml_quoted(std::string_view text);
// "file:line"
std::string place_text(const Origin& where);

// Collects what is wrong with one key's value.
class Faults {
 public:
  Faults(std::string_view key, Diagnostics& found) : key_(key), found_(found) {}
  // "key: text"
  void add(const Value& at, std::string_view text) { found_.push_back({at.where, std::string(key_) + ": " + std::string(text)}); }
  // "key: expected this, found a string"
  void expected(const Value& at, std::string_view what) { add(at, "expected " + std::string(what) + ", found " + std::string(kind_text(at.kind))); }
  // "key: expected this, found \"octets\"", and a suggestion; not for what may be a secret
  void expected_not(const Value& at, std::string_view what, std::string_view suggestion = {});

 private:
  std::string_view key_;
  Diagnostics& found_;
};

}  // namespace popsync::config
