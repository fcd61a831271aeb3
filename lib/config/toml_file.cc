// SPDX-License-Identifier: MIT
#include "config/toml_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/unique_fd.h"
#include "secrets/file_access.h"

namespace popsync::config {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::configuration, "configuration file " + escaped(path, kPathOctetsMax) + " cannot be read: " + what);
}

std::string read_all(int fd, const std::string& path) {
  std::string content;
  std::array<char, 16 * 1024> chunk{};
  while (true) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, errno_text(errno));
    if (got == 0) break;
    content.append(chunk.data(), static_cast<std::size_t>(got));
    if (content.size() > kConfigOctetsMax) fail(path, "it is larger than 16 MiB");
  }
  ::explicit_bzero(chunk.data(), chunk.size());
  return content;
}

Origin origin_of(const std::string& path, const toml::source_region& region) { return {path, region.begin.line, region.begin.column}; }

Value to_value(const std::string& path, const toml::node& node) {
  Value value;
  value.where = origin_of(path, node.source());
  if (const auto* table = node.as_table()) {
    value.kind = Value::Kind::table;
    for (const auto& [key, child] : *table) value.table.push_back({std::string(key.str()), origin_of(path, key.source()), to_value(path, child)});
    std::ranges::sort(value.table, {}, [](const Entry& entry) { return std::pair(entry.where.line, entry.where.column); });
  } else if (const auto* list = node.as_array()) {
    value.kind = Value::Kind::list;
    for (const toml::node& child : *list) value.list.push_back(to_value(path, child));
  } else if (const auto* text = node.as_string()) {
    value.kind = Value::Kind::text;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = Value::Kind::integer;
    value.integer = integer->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = Value::Kind::boolean;
    value.boolean = boolean->get();
  } else {
    value.kind = node.is_floating_point() ? Value::Kind::real : Value::Kind::time;
  }
  return value;
}

// The next step after the two usual mistakes: [accounts.me@example.org] and host = pop.example.org.
std::string_view hint_for(std::string_view description) {
  const auto tells = [&](std::string_view part) { return description.find(part) != std::string_view::npos; };
  if (tells("table header") && tells("expected ']'")) {
    return "; a name with other characters than letters, digits, - and _ is quoted: [accounts.\"me@example.org\"]";
  }
  return tells("could not determine value type") ? "; a string is quoted: host = \"pop.example.org\"" : "";
}

Diagnostic to_diagnostic(const std::string& path, const toml::parse_error& error) {
  const std::string description = escaped(error.description());
  return {origin_of(path, error.source()), "syntax error: " + description + std::string(hint_for(description))};
}

}  // namespace

std::optional<TomlFile> read_toml_file(const std::string& path) {
  // A FIFO would be waited for until somebody writes into it.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) fail(path, errno_text(errno));
  if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) fail(path, "it is no regular file");  // /dev/null is an empty one
  TomlFile file;
  file.exposure = secrets::exposure_of(secrets::access_of(fd.get(), status), secrets::this_reader());
  std::string content = read_all(fd.get(), path);
  try {
    file.root = to_value(path, toml::parse(content));
  } catch (const toml::parse_error& error) {
    file.syntax = to_diagnostic(path, error);
  }
  // It may hold a password. The parsed copies live as long as the account that uses them.
  ::explicit_bzero(content.data(), content.size());
  return file;
}

}  // namespace popsync::config
