// SPDX-License-Identifier: MIT
#include "options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <iostream>
#include <set>

#include "base/error.h"
#include "base/escape.h"
#include "base/nearest.h"
#include "config/units.h"

namespace popsync {
namespace {

void add_accounts(CLI::App& command, Options& options, const char* without = "all that are enabled") {
  command.add_option("ACCOUNT", options.accounts, std::string("accounts by name; none: ") + without);
}

void add_account(CLI::App& command, Options& options) {
  command.add_option("ACCOUNT", options.accounts, "the account's name")->required()->expected(1)->allow_extra_args(false);
}

void add_json(CLI::App& command, Options& options) { command.add_flag("--json", options.json, "one JSON object on standard output, nothing else"); }

void add_wait(CLI::App& command, Options& options) {
  command
      .add_option_function<std::string>(
          "--wait",
          [&options](const std::string& text) {
            const auto duration = config::parse_duration(text);
            if (!duration) throw CLI::ValidationError("--wait", "\"" + escaped(text) + "\" is no duration; write 30s, 5m or 2h");
            options.wait = *duration;
          },
          "how long to wait for another popsync that holds the account, or has the state open while its tables have to change (default 30s)")
      ->type_name("DURATION");
}

void add_session_options(CLI::App& command, Options& options) {
  command.add_flag("--trace", options.trace, "show the dialogue with the server on standard error, secrets masked");
  add_wait(command, options);
}

std::uint32_t parse_message_number(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    throw CLI::ValidationError("--number", "\"" + escaped(text) + "\" is no message-number; they count from 1, `popsync list` prints them");
  }
  return number;
}

void add_commands(CLI::App& app, Options& options) {
  app.add_subcommand("run", "the daemon, in the foreground; SIGTERM stops it, SIGHUP reloads the configuration, SIGUSR1 syncs now");

  CLI::App* sync = app.add_subcommand("sync", "one pass over the accounts, then exit");
  add_accounts(*sync, options);
  add_json(*sync, options);
  add_session_options(*sync, options);
  sync->add_flag("--dry-run", options.dry_run, "print what would be fetched, deleted and held; change nothing, here or there");

  CLI::App* check = app.add_subcommand("check", "are configuration, secrets, mailstore and state usable? Fetches nothing");
  add_accounts(*check, options);
  add_json(*check, options);
  add_session_options(*check, options);
  check->add_flag("--connect", options.connect, "also log in, look at what the server offers, and quit");

  CLI::App* accept = app.add_subcommand("accept", "go on with what stopped an account: shows it and asks; in a script one option names it");
  add_account(*accept, options);
  add_session_options(*accept, options);
  accept->add_flag("--mailstore", options.mailstore, "the folder that is there now is meant: take it as the account's mailstore");
  accept->add_flag("--gone", options.gone, "the old mailstore is lost: fetch again what was unfinished, leave the rest on the server");
  accept->add_flag("--foreign-mail", options.foreign_mail, "fetch all that the server has, beside the mail that is there already");
  accept->add_flag("--user", options.user, "the same maildrop under another login name: log in and compare it with what is stored");

  CLI::App* list = app.add_subcommand("list", "what is in the maildrop: number, size, unique-id, and what popsync knows of it");
  add_account(*list, options);
  add_json(*list, options);
  add_session_options(*list, options);

  CLI::App* show = app.add_subcommand("show", "header and first lines of one message that is still on the server");
  add_account(*show, options);
  show->add_option("UID", options.uids, "its unique-id, as list prints it")->expected(0, 1);
  show->add_option_function<std::string>(
          "--number", [&options](const std::string& text) { options.number = parse_message_number(text); }, "its message-number instead")
      ->type_name("N");
  add_session_options(*show, options);

  CLI::App* status = app.add_subcommand("status", "is the daemon running; last success, last error, next sync, held messages, totals");
  add_accounts(*status, options, "all");
  add_json(*status, options);
  status->add_flag("--failing", options.failing, "only accounts that fail or need an operator");
  status->add_flag("--exit-code", options.exit_code, "exit with the status of the worst account");

  CLI::App* verify = app.add_subcommand("verify", "compare every published message with the mailstore; report only");
  add_accounts(*verify, options);
  add_json(*verify, options);

  CLI::App* config = app.add_subcommand("config", "the effective configuration as TOML, secrets as ***");
  add_accounts(*config, options, "all");
  add_json(*config, options);

  CLI::App* seed = app.add_subcommand("seed", "mark all that is on the server now as seen, without fetching it");
  add_account(*seed, options);
  add_session_options(*seed, options);

  CLI::App* adopt = app.add_subcommand("adopt", "match mail already in the Maildir with the maildrop by headers, so that nothing is fetched twice");
  add_account(*adopt, options);
  add_session_options(*adopt, options);

  CLI::App* rebuild = app.add_subcommand("rebuild", "learn a lost state again from the names of the files in the Maildir");
  add_account(*rebuild, options);
  add_session_options(*rebuild, options);

  CLI::App* retry = app.add_subcommand("retry", "try held messages again at the next sync");
  add_account(*retry, options);
  retry->add_option("UID", options.uids, "unique-ids, as status and list print them")->required();
  add_wait(*retry, options);

  CLI::App* skip = app.add_subcommand("skip", "give held messages up for good; they stay on the server");
  add_account(*skip, options);
  skip->add_option("UID", options.uids, "unique-ids, as status and list print them")->required();
  add_wait(*skip, options);

  CLI::App* refetch = app.add_subcommand("refetch", "fetch messages again at the next sync");
  add_account(*refetch, options);
  refetch->add_option("UID", options.uids, "unique-ids, as list prints them");
  refetch->add_flag("--all", options.all, "all messages of the account");
  refetch->add_flag("--missing", options.missing, "those that verify cannot find");
  refetch->add_flag("--yes", options.yes, "do not ask");
  add_wait(*refetch, options);

  CLI::App* rename = app.add_subcommand("rename", "carry an account's state to a new name");
  rename->add_option("OLD", options.old_name, "the name that the state knows")->required();
  rename->add_option("NEW", options.new_name, "the name it has from now on")->required();
  add_wait(*rename, options);

  CLI::App* forget = app.add_subcommand("forget", "drop what popsync knows of an account; its mail stays");
  add_account(*forget, options);
  add_wait(*forget, options);
  forget->add_flag("--yes", options.yes, "do not ask");

  app.add_subcommand("help", "this text, or what a command does: popsync help sync");
}

void add_common_options(CLI::App& app, Options& options) {
  app.add_option("-c,--config", options.config_file, "configuration file")->type_name("FILE");
  app.add_option("--state-dir", options.state_dir, "where state is kept")->type_name("DIR");
  app.add_flag("--system", options.system, "use /etc/popsync and /var/lib/popsync (the default for root and for user popsync)");
  app.add_flag_function(
      "-v,--verbose", [&options](std::int64_t count) { options.verbosity += static_cast<int>(count); }, "say more");
  app.add_flag_function(
      "-q,--quiet", [&options](std::int64_t count) { options.verbosity -= static_cast<int>(count); }, "say less");
  app.set_version_flag("-V,--version", std::string("popsync ") + POPSYNC_VERSION, "print the version and exit");
  app.set_help_flag("-h,--help", "print this help and exit");
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

// The command line as CLI11 gets it. CLI11 takes some words for more than they are: "[a,b]" for a list of two, "++" for an end, the name of a command
// anywhere for a command; and an option that holds a dash after "--" is lost. So words that are no options stay here, and CLI11 gets their indices.
struct Words {
  std::vector<std::string> options;    // with their values, in the order given
  std::vector<std::string> arguments;  // the command first
};

class WordSplitter {
 public:
  explicit WordSplitter(const CLI::App& app) : app_(app) {}

  Words split(const std::vector<std::string>& words) {
    for (next_ = words.begin(), end_ = words.end(); next_ != end_;) {
      const std::string& word = *next_++;
      if (only_arguments_ || word.size() < 2 || !word.starts_with('-')) {
        words_.arguments.push_back(word);
      } else if (word == "--") {
        only_arguments_ = true;
      } else {
        take_option(word);
      }
    }
    return std::move(words_);
  }

 private:
  // The option of this name ("-c", "--config") if a value belongs to it, of the program or of any command.
  [[nodiscard]] const CLI::Option* with_value(const std::string& name) const {
    const auto found_in = [&](const CLI::App& app) {
      const CLI::Option* option = app.get_option_no_throw(name);
      return option != nullptr && option->get_items_expected_max() > 0 ? option : nullptr;
    };
    if (const CLI::Option* option = found_in(app_)) return option;
    for (const CLI::App* command : app_.get_subcommands({})) {
      if (const CLI::Option* option = found_in(*command)) return option;
    }
    return nullptr;
  }

  void take_option(const std::string& word) {
    words_.options.push_back(word);
    if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const CLI::Option* option = with_value(word.substr(0, equals));
      if (option != nullptr) take_value(*option, equals == std::string::npos ? std::string() : word.substr(equals));
      return;
    }
    // One-letter options together: what follows one with a value is the value, in this word or the next.
    for (std::size_t letter = 1; letter < word.size(); ++letter) {
      const CLI::Option* option = with_value(std::string("-") + word[letter]);
      if (option == nullptr) continue;
      const std::string rest = word.substr(letter + 1);
      take_value(*option, rest.empty() ? rest : "=" + rest);
      return;
    }
  }

  // `attached`: "=" and the value, or empty if the next word is the value.
  void take_value(const CLI::Option& option, const std::string& attached) {
    const std::string name = "--" + option.get_lnames().front();
    if (attached.empty() && next_ == end_) throw Error(ErrorCode::usage, name + " needs a value");
    const std::string value = attached.empty() ? *next_++ : attached.substr(1);
    if (attached.empty()) words_.options.push_back(value);
    if (value.empty()) throw Error(ErrorCode::usage, name + " needs a value that is not empty");
    if (!given_.insert(name).second) throw Error(ErrorCode::usage, name + " is given twice", "leave one of them out");
  }

  const CLI::App& app_;
  std::vector<std::string>::const_iterator next_;
  std::vector<std::string>::const_iterator end_;
  bool only_arguments_ = false;  // after "--"
  std::set<std::string> given_;
  Words words_;
};

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

[[noreturn]] void refuse_no_command() { throw Error(ErrorCode::usage, "a command is required", "popsync --help lists the commands"); }

bool some_command_has(const CLI::App& app, const std::string& option) {
  const auto commands = app.get_subcommands({});
  return std::ranges::any_of(commands, [&](const CLI::App* command) { return command->get_option_no_throw(option) != nullptr; });
}

[[noreturn]] void refuse_unknown_option(const CLI::App& app, const CLI::App* command, const std::string& word) {
  std::vector<std::string> names = option_names(app);
  const std::vector<std::string> own = command == nullptr ? std::vector<std::string>() : option_names(*command);
  names.insert(names.end(), own.begin(), own.end());
  const std::string name = word.substr(0, word.find('='));
  if (command == nullptr && some_command_has(app, name)) refuse_no_command();
  throw Error(ErrorCode::usage, "unknown option \"" + escaped(name) + "\"" + did_you_mean(name, names),
              "see popsync " + (command == nullptr ? "" : command->get_name() + " ") + "--help");
}

// The words for CLI11, the command in front: it gives options that stand before the command to the program alone. Throws Error usage for a word in
// the command's place that is no command.
std::vector<std::string> words_for(const CLI::App& app, const Words& words) {
  std::vector<std::string> out;
  if (!words.arguments.empty()) {
    const std::string& command = words.arguments.front();
    const auto names = command_names(app);
    if (std::ranges::find(names, command) == names.end()) {
      throw Error(ErrorCode::usage, "unknown command \"" + escaped(command) + "\"" + did_you_mean(command, names),
                  "popsync --help lists the commands");
    }
    out.push_back(command);
  }
  out.insert(out.end(), words.options.begin(), words.options.end());
  for (std::size_t i = 1; i < words.arguments.size(); ++i) out.push_back(std::to_string(i));
  return out;
}

// "help COMMAND" is "COMMAND --help", and "help" alone "--help".
void take_help(Words& words) {
  if (words.arguments.empty() || words.arguments.front() != "help") return;
  if (words.arguments.size() > 2) throw Error(ErrorCode::usage, "help takes one command", "popsync help lists them");
  if (std::ranges::count(words.options, "--help") > 0) return;  // of help itself
  words.arguments.erase(words.arguments.begin());
  words.options.emplace_back("--help");
}

void put_back(std::string& index, const Words& words) {
  if (!index.empty()) index = words.arguments.at(std::stoul(index));
}

void put_back(Options& options, const Words& words) {
  for (std::string& index : options.accounts) put_back(index, words);
  for (std::string& index : options.uids) put_back(index, words);
  put_back(options.old_name, words);
  put_back(options.new_name, words);
}

[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error, const Words& words) {
  const auto given = app.get_subcommands();
  const CLI::App* command = given.empty() ? nullptr : given.front();
  const std::string hint = "see popsync " + (command == nullptr ? "" : command->get_name() + " ") + "--help";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    for (std::string word : app.remaining(true)) {
      if (word.starts_with('-')) refuse_unknown_option(app, command, word);
      put_back(word, words);
      throw Error(ErrorCode::usage, "\"" + escaped(word) + "\" is one argument too many", hint);
    }
  }
  throw Error(ErrorCode::usage, escaped(error.what()), hint);
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("Fetches mail from POP3 servers into Maildirs: every message exactly once.", "popsync");
  app.require_subcommand(0, 1);  // that there is one is seen to below, after the options
  app.fallthrough();
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  add_common_options(app, options);
  add_commands(app, options);
  for (CLI::App* command : app.get_subcommands({})) {
    command->fallthrough();
    command->group("Commands");
    command->footer("popsync --help shows the options that every command has.");
  }
  Words words = WordSplitter(app).split({argv + 1, argv + argc});
  take_help(words);
  std::vector<std::string> for_cli = words_for(app, words);
  std::ranges::reverse(for_cli);  // CLI11 takes them from the back
  try {
    app.parse(for_cli);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::CallForVersion& version) {
    app.exit(version, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    refuse(app, error, words);
  }
  if (app.get_subcommands().empty()) refuse_no_command();
  options.command = app.get_subcommands().front()->get_name();
  put_back(options, words);
  return options;
}

}  // namespace popsync
