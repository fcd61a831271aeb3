// SPDX-License-Identifier: MIT
#include "mail_target.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "support/folder_content.h"
#include "support/mbox_text.h"

namespace popsync::test {

namespace {

// Readers skip names that begin with a dot: Maildir's rule.
std::vector<std::string> visible_in(const std::string& maildir) {
  std::vector<std::string> messages;
  for (const std::filesystem::path path : message_files(maildir)) {
    if (path.filename().string().starts_with('.')) continue;
    std::ifstream file(path, std::ios::binary);
    messages.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  std::ranges::sort(messages);
  return messages;
}

std::string mbox_of(const ProgramHome& home) { return home.folder() / "mail/box"; }

std::vector<std::string> messages_in_mbox(const ProgramHome& home) {
  std::vector<std::string> messages;
  for (MboxText& entry : entries_of(content_of(mbox_of(home)))) messages.push_back(std::move(entry.message));
  std::ranges::sort(messages);
  return messages;
}

// Staged entries and locks. What liblockfile was making when it was killed (".lk...") stays: nobody can tell whose it is.
std::vector<std::string> unfinished_beside_mbox(const ProgramHome& home) {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(home.state_dir() + "/staging", absent)) {
    if (!entry.is_directory() && entry.path().filename() != "trusted") names.push_back(entry.path());
  }
  for (const auto& entry : std::filesystem::directory_iterator(home.folder() / "mail")) {
    const std::string name = entry.path().filename();
    if (name != "box" && !name.starts_with(".lk")) names.push_back(entry.path());
  }
  return names;
}

}  // namespace

bool is_message_file(const std::string& path) { return std::filesystem::path(path).filename().string().find('_') != std::string::npos; }

MailTarget maildir_target() {
  return {.name = "Maildir",
          .configuration = [](const ProgramHome& home) { return "maildir = \"" + home.maildir() + "\""; },
          .messages = [](const ProgramHome& home) { return messages_in(home.maildir()); },
          .visible = [](const ProgramHome& home) { return visible_in(home.maildir()); },
          .unfinished = [](const ProgramHome& home) { return staged_in(home.maildir()); },
          .publishes = [](const FileCall& call) { return call.name.starts_with("rename") && is_message_file(call.path); },
          .whole_at_any_time = true};
}

MailTarget mbox_target() {
  return {.name = "Mbox",
          .configuration = [](const ProgramHome& home) { return "mbox = \"" + mbox_of(home) + "\""; },
          .messages = messages_in_mbox,
          .visible = messages_in_mbox,
          .unfinished = unfinished_beside_mbox,
          .publishes = [](const FileCall& call) { return call.name.starts_with("write") && call.path.ends_with("/mail/box"); },
          .whole_at_any_time = false};
}

}  // namespace popsync::test
