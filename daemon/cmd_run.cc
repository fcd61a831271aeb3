// SPDX-License-Identifier: MIT
// popsync run: the daemon, in the foreground, as a Poco::Util::ServerApplication.
#include <Poco/Util/ServerApplication.h>

#include <memory>

#include "base/error.h"
#include "commands.h"
#include "daemon_app.h"
#include "daemon_signals.h"
#include "daemon_status.h"
#include "log_setup.h"
#include "observe/signal_thread.h"
#include "observe/start_patience.h"
#include "state/install.h"
#include "state_opening.h"

namespace popsync {
namespace {

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
    DaemonSignals signals;  // before anything that may hang: the log goes to a pipe, the state lies on a disk
    set_up_log(program_.config.daemon, program_.options.verbosity);
    (void)program_.chosen_accounts();                            // 78 if there is none
    auto patience = std::make_unique<observe::StartPatience>();  // a large state takes its time to be checked, or brought up to date
    state::prepare_install(program_.paths.state_dir, lost_install_key(program_));
    const state::FileLock daemon = become_daemon(program_.paths.state_dir);
    DaemonApp app(program_, signals, daemon);
    patience.reset();
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
