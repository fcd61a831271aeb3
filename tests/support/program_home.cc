// SPDX-License-Identifier: MIT
#include "support/program_home.h"

#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSON/Query.h>
#include <Poco/JSON/Stringifier.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "support/message_corpus.h"

namespace popsync::test {

namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string text_of(const AccountText& account, const std::string& maildir) {
  std::string text = "[accounts." + account.name + "]\nhost = \"" + account.host + "\"\nport = " + std::to_string(account.port) + "\nuser = \"" +
                     account.user + "\"\npassword = \"" + account.password + "\"\ntls = \"" + account.tls + "\"\nmaildir = \"" + maildir + "\"\n";
  if (account.tls == "none") text += "allow_insecure_auth = true\n";
  if (!account.ca_file.empty()) text += "tls_ca_file = \"" + account.ca_file + "\"\n";
  for (const std::string& line : account.more) text += line + "\n";
  return text + "\n";
}

}  // namespace

ProgramHome::ProgramHome() : folder_("popsync") {
  for (const char* part : {"home", "config", "mail"}) (void)folder_.make(part);
}

void ProgramHome::configure_all(const std::vector<AccountText>& accounts, const std::vector<std::string>& daemon) const {
  std::string text = daemon.empty() ? "" : "[daemon]\n";
  for (const std::string& line : daemon) text += line + "\n";
  for (const AccountText& account : accounts) text += text_of(account, account.maildir.empty() ? maildir(account.name) : account.maildir);
  configure_with(text);
}

void ProgramHome::configure_with(const std::string& text) const { (void)folder_.write("config/popsync.toml", text); }

ProgramCall ProgramHome::call(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"-c", config_file(), "--state-dir", state_dir()});
  return {.arguments = std::move(arguments), .environment = {{"HOME", folder_ / "home"}, {"TERM", "xterm"}}};
}

std::vector<std::string> message_files(const std::string& maildir) {
  std::vector<std::string> files;
  for (const char* part : {"/new", "/cur"}) {
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(maildir + part, absent)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<std::string> messages_in(const std::string& maildir) {
  std::vector<std::string> messages;
  for (const std::string& file : message_files(maildir)) messages.push_back(content_of(file));
  std::ranges::sort(messages);
  return messages;
}

std::vector<std::string> staged_in(const std::string& maildir) {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& folder : fs::directory_iterator(maildir + "/tmp/.popsync", absent)) {
    if (!folder.is_directory()) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with("gen.") && name != "unlearned" && name != "trusted") names.push_back(name);
    }
  }
  return names;
}

std::vector<std::string> as_stored(std::vector<std::string> messages) {
  for (std::string& message : messages) message = octets_stored(message);
  std::ranges::sort(messages);
  return messages;
}

std::string json_at(const std::string& text, const std::string& path) {
  if (!text.ends_with("}\n") || std::ranges::count(text, '\n') != 1) throw std::runtime_error("not one JSON object in one line: " + text);
  try {
    const Poco::Dynamic::Var whole = Poco::JSON::Parser().parse(text);
    // The query gives an empty value for null and for nothing at all; the key tells them apart.
    const auto dot = path.rfind('.');
    const Poco::Dynamic::Var parent = dot == std::string::npos ? whole : Poco::JSON::Query(whole).find(path.substr(0, dot));
    const std::string key = dot == std::string::npos ? path : path.substr(dot + 1);
    if (parent.type() == typeid(Poco::JSON::Object::Ptr) && !parent.extract<Poco::JSON::Object::Ptr>()->has(key.substr(0, key.find('[')))) {
      return "(absent)";
    }
    const Poco::Dynamic::Var value = Poco::JSON::Query(whole).find(path);
    if (value.isEmpty()) return "null";
    if (value.isString()) return value.extract<std::string>();
    std::ostringstream text_of_value;
    Poco::JSON::Stringifier::condense(value, text_of_value);
    return text_of_value.str();
  } catch (const Poco::Exception& exception) {
    throw std::runtime_error("no JSON (" + exception.displayText() + "): " + text);
  }
}

}  // namespace popsync::test
