// SPDX-License-Identifier: MIT
// The program in what looks to it like a container, with a password as a container's runtime mounts it: root's file behind links, in a file system of
// its own. It runs as nobody, on a root that hides what marks the machine of the test as a container. Needs root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <ostream>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

// `sh -c SCRIPT sh ROOT PROGRAM ARGUMENT ...` in a mount namespace of its own.
constexpr const char* kInContainer = R"(
set -eu
root=$1 program=$2; shift 2
mount -t tmpfs -o mode=755 root "$root"
for entry in /*; do
  if [ -L "$entry" ]; then cp -P "$entry" "$root"
  elif [ -d "$entry" ]; then mkdir "$root$entry"; [ "$entry" = /run ] || mount --rbind "$entry" "$root$entry"
  fi
done
mount -t tmpfs -o mode=755 run "$root/run"
touch "$root/popsync"; mount --bind "$program" "$root/popsync"
mkdir -p "$root$FOLDER"
mount -t "$TYPE" -o mode=755 secrets "$root$FOLDER"
mkdir "$root$FOLDER/..1"; ln -s ..1 "$root$FOLDER/..data"; ln -s ..data/password "$root$FOLDER/password"
cp "$SECRET" "$root$FOLDER/..1/password"; chown "$OWNER" "$root$FOLDER/..1/password"; chmod "$MODE" "$root$FOLDER/..1/password"
[ -z "$HOST_FILE" ] || mount --bind "$HOST_FILE" "$root$FOLDER/..1/password"
[ -z "$MARKER" ] || touch "$root$MARKER"
[ -z "$READ_ONLY" ] || mount -o "remount,bind,$READ_ONLY" "$root$FOLDER"
[ -z "$HOST_FILE" ] || mount -o remount,bind,ro "$root$FOLDER/..1/password"
exec chroot --userspec=65534:65534 --groups="$GROUPS_OF_OURS" "$root" /popsync "$@"
)";

constexpr const char* kDocker = "/.dockerenv";
constexpr const char* kElsewhere = "set its mode where it comes from: on the host's file of a bind mount";
constexpr const char* kPodman = "/run/.containerenv";

struct Mounted {
  std::string name = {};
  bool accepted = false;
  std::string told = {};       // why not
  std::string next_step = {};  // and what helps
  std::string marker = {};
  std::map<std::string, std::string> variables = {};
  std::string mode = "0444";
  std::string owner = "0:0";
  std::string type = "tmpfs";
  bool read_only = true;
  std::string host_file = {};  // bound over it
  std::string groups = {};     // supplementary ones of ours
  std::string folder = "/mnt/secrets";
};
void PrintTo(const Mounted& mounted, std::ostream* out) { *out << mounted.name; }

struct ContainerSecret : testing::TestWithParam<Mounted> {
  // False where it is not possible.
  [[nodiscard]] bool possible() const {
    return ::geteuid() == 0 && run_program({.arguments = {"-m", "mount", "-t", "tmpfs", "root", root}, .program = "unshare"}).status == 0;
  }

  void configure(const std::string& password, const std::string& file) const {
    (void)home.folder().write(file, "[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                                        "\nuser = \"alice\"\ntls = \"none\"\nallow_insecure_auth = true\nmaildir = \"" + home.maildir() + "\"\n" +
                                        password + "\n");
  }
  // All that lies there is then nobody's.
  [[nodiscard]] ProgramResult run(const Mounted& mounted, std::vector<std::string> arguments) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(home.folder().path())) {
      EXPECT_EQ(::lchown(entry.path().c_str(), kNobody, kNobody), 0);
    }
    EXPECT_EQ(::chown(home.folder().path().c_str(), kNobody, kNobody), 0);
    ProgramCall call = home.call(std::move(arguments));
    call.arguments.insert(call.arguments.begin(), {"-m", "--propagation", "private", "sh", "-c", kInContainer, "sh", root, built_program()});
    call.program = "unshare";
    call.environment.insert(mounted.variables.begin(), mounted.variables.end());
    call.environment.insert({{"FOLDER", mounted.folder},
                             {"TYPE", mounted.type},
                             {"SECRET", secret},
                             {"OWNER", mounted.owner},
                             {"MODE", mounted.mode},
                             {"HOST_FILE", mounted.host_file},
                             {"MARKER", mounted.marker},
                             {"READ_ONLY", mounted.read_only ? "ro" : ""},
                             {"GROUPS_OF_OURS", mounted.groups}});
    return run_program(call);
  }

  MaildropServer server;
  ProgramHome home;
  std::string root = home.folder().make("root");
  std::string secret = home.folder().write("secret", "open-sesame\n");
};

TEST_P(ContainerSecret, IsTakenFromTheRuntimeAlone) {
  if (!possible()) {
    std::cout << "not tried: nothing can be mounted here\n";
    return;
  }
  const Mounted& mounted = GetParam();
  server.add(small_message("one"));
  configure("password_file = \"" + mounted.folder + "/password\"", "config/popsync.toml");
  const ProgramResult check = run(mounted, {"check"});
  const ProgramResult sync = run(mounted, {"sync"});
  if (mounted.accepted) {
    EXPECT_EQ(check.status, 0) << check.out << check.err;
    EXPECT_EQ(sync.status, 0) << sync.err;
    EXPECT_EQ(messages_in(home.maildir()).size(), 1U);
    return;
  }
  EXPECT_EQ(check.status, 77);
  EXPECT_THAT(check.out, AllOf(HasSubstr(mounted.told), HasSubstr(mounted.next_step)));
  EXPECT_EQ(sync.status, 77);
  EXPECT_THAT(sync.err, AllOf(HasSubstr(mounted.told), HasSubstr(mounted.next_step)));
  EXPECT_TRUE(messages_in(home.maildir()).empty());
}

// The same file as Docker mounts it, and what makes it another one.
const Mounted kCases[] = {
    {.name = "Docker", .accepted = true, .marker = kDocker},
    {.name = "Podman", .accepted = true, .marker = kPodman, .variables = {{"NOTIFY_SOCKET", "/run/notify/notify.sock"}}},
    {.name = "Kubernetes", .accepted = true, .variables = {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}}, .mode = "0644"},
    {.name = "KubernetesWithFsGroup", .accepted = true, .mode = "0440", .owner = "0:2000", .groups = "1999,2000"},
    {.name = "WithoutSwap", .accepted = true, .marker = kDocker, .type = "ramfs"},
    {.name = "NoContainer", .told = "others have access to it (mode 0444)", .next_step = kElsewhere},
    {.name = "NoContainerForeignGroup",
     .told = "Permission denied",
     .next_step = "readable by popsync",
     .mode = "0440",
     .owner = "0:2000",
     .groups = "1999"},
    {.name = "ForRootAlone", .told = "Permission denied", .next_step = kElsewhere, .marker = kDocker, .mode = "0400"},
    {.name = "EmptyVariable", .told = "mode 0444", .variables = {{"KUBERNETES_SERVICE_HOST", ""}}},
    {.name = "UnitInContainer",
     .told = "mode 0444)",
     .next_step = "\n  chmod 600 it",
     .marker = kDocker,
     .variables = {{"INVOCATION_ID", "0123456789abcdef"}}},
    // ProtectSystem=strict shows a unit the whole /run as a read-only tmpfs.
    {.name = "RunOfAUnit",
     .told = "mode 0644)",
     .next_step = "\n  chmod 600 it",
     .marker = kDocker,
     .variables = {{"INVOCATION_ID", "0123456789abcdef"}},
     .mode = "0644",
     .folder = "/run"},
    {.name = "Writable", .told = "mode 0444)", .next_step = kElsewhere, .marker = kDocker, .read_only = false},
    {.name = "HostsFile", .told = "mode 0644)", .next_step = kElsewhere, .marker = kDocker, .host_file = "/etc/passwd"},
    {.name = "OwnFile", .told = "mode 0444)", .next_step = kElsewhere, .marker = kDocker, .owner = "65534:65534"},
    {.name = "OwnFileForAnotherGroup", .told = "group 2000", .marker = kDocker, .mode = "0440", .owner = "65534:2000", .groups = "2000"},
    {.name = "SomebodysFile", .told = "it belongs to user 1001", .next_step = kElsewhere, .marker = kDocker, .owner = "1001:1001"},
};
INSTANTIATE_TEST_SUITE_P(Rules, ContainerSecret, testing::ValuesIn(kCases), [](const auto& each) { return each.param.name; });

// The configuration file as a mounted secret.
TEST_F(ContainerSecret, MayBeTheConfigurationItself) {
  if (!possible()) {
    std::cout << "not tried: nothing can be mounted here\n";
    return;
  }
  configure("password = \"open-sesame\"", "secret");
  const auto check = [&](const Mounted& mounted) {
    std::filesystem::remove(home.config_file());
    std::filesystem::create_symlink(mounted.folder + "/password", home.config_file());
    return run(mounted, {"check"});
  };
  EXPECT_EQ(check({.marker = kDocker}).status, 0);
  const ProgramResult refused = check({});
  EXPECT_EQ(refused.status, 78);
  EXPECT_THAT(refused.err, HasSubstr(std::string("others have access to it (mode 0444); ") + kElsewhere));
}

}  // namespace
}  // namespace popsync::test
