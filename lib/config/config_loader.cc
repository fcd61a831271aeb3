// SPDX-License-Identifier: MIT
#include "config/config_loader.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "config/account_rules.h"
#include "config/config_keys.h"
#include "config/config_sections.h"
#include "config/toml_file.h"

namespace popsync::config {
namespace {

namespace fs = std::filesystem;

// conf.d/*.toml in byte order; hidden files are what editors leave behind.
std::vector<std::string> drop_ins(const std::string& main_file) {
  const fs::path folder = fs::path(main_file).parent_path() / "conf.d";
  std::vector<std::string> names;
  std::error_code fault;
  fs::directory_iterator entry(folder, fault);
  for (; !fault && entry != fs::directory_iterator(); entry.increment(fault)) {
    const std::string name = entry->path().filename().string();
    if (name.ends_with(".toml") && !name.starts_with('.')) names.push_back(entry->path().string());
  }
  if (fault && fault != std::errc::no_such_file_or_directory) {
    throw Error(ErrorCode::configuration, fmt::format("{} cannot be read: {}", escaped(folder.string(), kPathOctetsMax), fault.message()));
  }
  std::ranges::sort(names);
  return names;
}

// A file with a password that others may read; told once, at the first password.
void refuse_exposed_passwords(const std::string& path, const TomlFile& file, Diagnostics& diagnostics) {
  if (!file.exposure) return;
  const auto holds_password = [](const Value& table) {
    const auto found = std::ranges::find(table.table, "password", &Entry::key);
    return found == table.table.end() ? nullptr : &*found;
  };
  for (const Entry& section : file.root.table) {
    const Entry* password = section.key == "defaults" ? holds_password(section.value) : nullptr;
    for (const Entry& account : section.value.table) {
      if (section.key == "accounts" && password == nullptr) password = holds_password(account.value);
    }
    if (password == nullptr) continue;
    const std::string step =
        file.exposure->set_elsewhere ? std::string(secrets::kSetElsewhere) : "expected chmod 600 " + escaped(path, kPathOctetsMax);
    diagnostics.push_back({password->where, fmt::format("password: the file holds a password, but {}; {}, or a password_command, password_file or "
                                                        "password_credential instead",
                                                        file.exposure->what, step)});
    return;
  }
}

Daemon build_daemon(const std::vector<Entry>& entries, Diagnostics& diagnostics) {
  Daemon daemon;
  for (const Entry& entry : entries) {
    Faults faults(entry.key, diagnostics);
    find_key(Section::daemon, entry.key)->set_daemon(entry.value, daemon, faults);
    daemon.origins[entry.key] = entry.where;
  }
  return daemon;
}

void set_keys(const std::vector<Entry>& entries, Account& account, Diagnostics& diagnostics) {
  for (const Entry& entry : entries) {
    Faults faults(entry.key, diagnostics);
    find_key(Section::account, entry.key)->set_account(entry.value, account, faults);
    account.origins[entry.key] = entry.where;
  }
}

std::vector<Account> build_accounts(const Sections& sections, const std::string& home, Diagnostics& diagnostics, Diagnostics& warnings) {
  // By themselves first: a mistake in [defaults] is one even where every account overrides it.
  Account defaults;
  set_keys(sections.defaults, defaults, diagnostics);
  std::vector<Account> accounts;
  for (const AccountSection& section : sections.accounts) {
    Account account;
    account.name = section.name;
    account.origin = section.where;
    const std::size_t mistakes = diagnostics.size();
    set_keys(merged(section, sections.defaults), account, diagnostics);
    complete_account(account, home, diagnostics);
    // A value that was refused left its default in place, which nobody wrote.
    if (diagnostics.size() == mistakes) warn_about(account, warnings);
    accounts.push_back(std::move(account));
  }
  std::ranges::sort(accounts, {}, &Account::name);
  compare_maildrops(accounts, diagnostics, warnings);
  return accounts;
}

// File and line order; what [defaults] did wrong was found once for each account, and is told once.
void put_in_order(Diagnostics& diagnostics, const std::vector<std::string>& files) {
  std::map<std::string, std::size_t> order;
  for (const std::string& file : files) order.emplace(file, order.size());
  const auto place = [&](const Diagnostic& diagnostic) {
    return std::tuple(order.at(diagnostic.where.file), diagnostic.where.line, diagnostic.where.column);
  };
  std::ranges::stable_sort(diagnostics, {}, place);
  std::set<std::pair<decltype(place(diagnostics.front())), std::string>> told;
  std::erase_if(diagnostics, [&](const Diagnostic& diagnostic) { return !told.emplace(place(diagnostic), diagnostic.text).second; });
}

}  // namespace

std::vector<std::string> files_of(const std::string& main_file) {
  std::vector<std::string> paths = drop_ins(main_file);
  paths.insert(paths.begin(), main_file);
  return paths;
}

LoadResult load(const std::string& main_file, const std::string& home, bool must_exist) {
  LoadResult result;
  Sections sections;
  for (const std::string& path : files_of(main_file)) {
    const std::optional<TomlFile> file = read_toml_file(path);
    if (!file && path == main_file && !must_exist) continue;
    if (!file) {
      throw Error(path == main_file ? ErrorCode::file_not_found : ErrorCode::configuration,
                  fmt::format("configuration file {} does not exist", escaped(path, kPathOctetsMax)));
    }
    result.config.files.push_back(path);
    if (file->syntax) return {.config = {}, .diagnostics = {*file->syntax}, .warnings = {}};
    refuse_exposed_passwords(path, *file, result.diagnostics);
    add_file(file->root, sections, result.diagnostics);
  }
  Diagnostics warnings;
  result.config.daemon = build_daemon(sections.daemon, result.diagnostics);
  result.config.accounts = build_accounts(sections, home, result.diagnostics, warnings);
  put_in_order(result.diagnostics, result.config.files);
  put_in_order(warnings, result.config.files);
  for (const Diagnostic& warning : warnings) result.warnings.push_back(to_text(warning));
  return result;
}

}  // namespace popsync::config
