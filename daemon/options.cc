// SPDX-License-Identifier: MIT
#include "options.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "base/error.h"
#include "base/escape.h"
#include "base/nearest.h"
#include "config/units.h"

namespace popsync {
namespace {

void add_accounts(CLI::App& command, Options& options) {
  command.add_option("ACCOUNT", options.accounts, "accounts by name; none: all that are enabled");
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
          "how long to wait for an account that another popsync holds (default 30s)")
      ->type_name("DURATION");
}

void add_session_options(CLI::App& command, Options& options) {
  command.add_flag("--trace", options.trace, "show the dialogue with the server on standard error, secrets masked");
  add_wait(command, options);
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
  check->add_flag("--accept-mailstore", options.accept_mailstore, "the folder that is there now is meant: take it as the account's mailstore");

  CLI::App* list = app.add_subcommand("list", "what is in the maildrop: number, size, unique-id, and what popsync knows of it");
  add_account(*list, options);
  add_json(*list, options);
  add_session_options(*list, options);

  CLI::App* show = app.add_subcommand("show", "header and first lines of one message that is still on the server");
  add_account(*show, options);
  show->add_option("UID", options.uids, "its unique-id, as list prints it")->expected(0, 1);
  show->add_option("--number", options.number, "its message-number instead")->type_name("N")->check(CLI::PositiveNumber);
  add_session_options(*show, options);

  CLI::App* status = app.add_subcommand("status", "is the daemon running; last success, last error, next sync, held messages, totals");
  add_accounts(*status, options);
  add_json(*status, options);
  status->add_flag("--failing", options.failing, "only accounts that fail or need an operator");
  status->add_flag("--exit-code", options.exit_code, "exit with the status of the worst account");

  CLI::App* verify = app.add_subcommand("verify", "compare every published message with the mailstore; report only");
  add_accounts(*verify, options);
  add_json(*verify, options);

  CLI::App* config = app.add_subcommand("config", "the effective configuration as TOML, secrets as ***");
  add_accounts(*config, options);
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
  add_wait(*refetch, options);

  CLI::App* rename = app.add_subcommand("rename", "carry an account's state to a new name");
  rename->add_option("OLD", options.old_name, "the name that the state knows")->required();
  rename->add_option("NEW", options.new_name, "the name it has from now on")->required();
  add_wait(*rename, options);

  CLI::App* forget = app.add_subcommand("forget", "drop what popsync knows of an account; its mail stays");
  add_account(*forget, options);
  add_wait(*forget, options);
  forget->add_flag("--yes", options.yes, "do not ask");
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

bool takes_value(const std::string& word) {
  return word == "-c" || word == "--config" || word == "--state-dir" || word == "--wait" || word == "--number";
}

// The arguments with the command moved to the front: options may stand before it, and CLI11 gives those that stand before to the program alone.
// Throws Error usage for a word in the command's place that is no command.
std::vector<std::string> command_first(const CLI::App& app, int argc, char** argv) {
  const auto names = command_names(app);
  std::vector<std::string> words(argv + 1, argv + argc);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (takes_value(words[i])) {
      ++i;
      continue;
    }
    if (words[i].starts_with("-")) continue;
    if (std::ranges::find(names, words[i]) == names.end()) {
      throw Error(ErrorCode::usage, "unknown command \"" + escaped(words[i]) + "\"" + did_you_mean(words[i], names),
                  "popsync --help lists the commands");
    }
    std::rotate(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i), words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    break;
  }
  return words;
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("Fetches mail from POP3 servers into Maildirs: every message exactly once.", "popsync");
  app.require_subcommand(1);
  app.fallthrough();
  add_common_options(app, options);
  add_commands(app, options);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();
  std::vector<std::string> words = command_first(app, argc, argv);
  std::ranges::reverse(words);  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::CallForVersion& version) {
    app.exit(version, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    const auto given = app.get_subcommands();
    throw Error(ErrorCode::usage, escaped(error.what()),
                "see popsync " + (given.empty() ? std::string() : given.front()->get_name() + " ") + "--help");
  }
  options.command = app.get_subcommands().front()->get_name();
  return options;
}

}  // namespace popsync
