// SPDX-License-Identifier: MIT
// popsync: the edge where the command line comes in and every error becomes a message and an exit status.
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "process_setup.h"

namespace popsync {
namespace {

const std::map<std::string, std::function<int(Program&)>>& commands() {
  static const std::map<std::string, std::function<int(Program&)>> all = {
      {"run", cmd_run},         {"sync", cmd_sync},       {"check", cmd_check},   {"list", cmd_list}, {"show", cmd_show},
      {"status", cmd_status},   {"verify", cmd_verify},   {"config", cmd_config}, {"seed", cmd_seed}, {"rename", cmd_rename},
      {"forget", cmd_forget},   {"refetch", cmd_refetch}, {"retry", cmd_retry},   {"skip", cmd_skip}, {"adopt", cmd_adopt},
      {"rebuild", cmd_rebuild}, {"accept", cmd_accept}};
  return all;
}

int run_command(int argc, char** argv) {
  auto options = parse_options(argc, argv);
  if (!options) return 0;
  if (options->verbosity > 0) set_log_level(LogLevel::debug);
  if (options->verbosity < 0) set_log_level(LogLevel::warning);
  Program program = load_program(std::move(*options));
  return commands().at(program.options.command)(program);
}

}  // namespace
}  // namespace popsync

int main(int argc, char** argv) {
  popsync::harden_process();
  try {
    return popsync::flush_output(popsync::run_command(argc, argv));
  } catch (const popsync::Error& error) {
    popsync::print_error(error);
    return popsync::exit_status(error.code());
  } catch (const std::exception& exception) {
    popsync::print_error(
        popsync::Error(popsync::ErrorCode::bug, std::string("unexpected: ") + popsync::escaped(exception.what()), "this is a bug, please report it"));
    return popsync::exit_status(popsync::ErrorCode::bug);
  }
}
