// SPDX-License-Identifier: MIT
#include "mail_target.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

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

}  // namespace

MailTarget maildir_target() {
  return {.name = "Maildir",
          .configuration = [](const ProgramHome& home) { return "maildir = \"" + home.maildir() + "\""; },
          .messages = [](const ProgramHome& home) { return messages_in(home.maildir()); },
          .visible = [](const ProgramHome& home) { return visible_in(home.maildir()); },
          .unfinished = [](const ProgramHome& home) { return staged_in(home.maildir()); },
          .publishing_call = "rename",
          .whole_at_any_time = true};
}

}  // namespace popsync::test
