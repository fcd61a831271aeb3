// SPDX-License-Identifier: MIT
// popsync run: the daemon, in the foreground, as a Poco::Util::ServerApplication.
#include <Poco/Util/ServerApplication.h>

#include <map>

#include "base/error.h"
#include "base/log.h"
#include "commands.h"
#include "daemon_app.h"
#include "daemon_status.h"
#include "observe/journal_sink.h"
#include "observe/service_manager.h"
#include "observe/signal_thread.h"
#include "state/install.h"
#include "state_opening.h"

namespace popsync {
namespace {

void set_up_log(const config::Daemon& daemon, int verbosity) {
  static const std::map<std::string, LogLevel> kLevels = {
      {"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warning", LogLevel::warning}, {"error", LogLevel::error}};
  if (verbosity == 0) set_log_level(kLevels.at(daemon.log_level));
  switch (daemon.log_format) {
    case config::LogFormatKey::json: log_to_stderr(LogFormat::json); break;
    case config::LogFormatKey::plain: log_to_stderr(LogFormat::plain); break;
    case config::LogFormatKey::automatic:
      if (observe::stderr_is_journal()) {
        log_to(observe::make_journal_sink());
      } else {
        log_to_stderr(LogFormat::plain);
      }
  }
}

// The application frame; it is given the program's name alone, because the command line has been read already, and no signal, because SignalThread
// has them.
class Server : public Poco::Util::ServerApplication {
 public:
  explicit Server(Program& program) : program_(program) {}

 protected:
  int main(const std::vector<std::string>& /*arguments*/) override {
    try {
      return serve();
    } catch (const Error& error) {
      error_ = error;
      return exit_status(error.code());
    }
  }

 public:
  // What ended main(); the frame would swallow it.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  int serve() {
    set_up_log(program_.config.daemon, program_.options.verbosity);
    (void)program_.chosen_accounts();  // 78 if there is none
    state::prepare_install(program_.paths.state_dir, lost_install_key(program_));
    const state::FileLock daemon = become_daemon(program_.paths.state_dir);
    DaemonApp app(program_);
    return app.run();
  }

  Program& program_;
  std::optional<Error> error_;
};

}  // namespace

int cmd_run(Program& program) {
  observe::SignalThread::block_signals();  // before any thread is made: the signal thread alone receives them
  Poco::AutoPtr<Server> server(new Server(program));
  std::string name = "popsync";
  std::vector<char*> arguments = {name.data()};
  const int status = server->run(static_cast<int>(arguments.size()), arguments.data());
  if (server->error()) throw Error(*server->error());
  return status;
}

}  // namespace popsync
