// SPDX-License-Identifier: MIT
#include "support/faulty_database.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

namespace popsync::test {
namespace {

Machine* the_machine = nullptr;
sqlite3_vfs* the_real_vfs = nullptr;

// What SQLite hands us as a file; the true one lies behind it.
struct OurFile {
  sqlite3_file base;
  UniqueFd* descriptor;  // never closed: closing any descriptor of the database would drop SQLite's locks
  const char* name;      // "state.db-wal"
};

OurFile& ours(sqlite3_file* file) { return *reinterpret_cast<OurFile*>(file); }
sqlite3_file* true_file(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(OurFile)); }

std::string told(sqlite3_file* file, const char* verb) { return std::string(verb) + " " + ours(file).name; }

int close(sqlite3_file* file) { return true_file(file)->pMethods->xClose(true_file(file)); }
int read(sqlite3_file* file, void* to, int amount, sqlite3_int64 offset) {
  return true_file(file)->pMethods->xRead(true_file(file), to, amount, offset);
}

int write(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
  const auto lock = the_machine->lock();
  const Machine::Outcome outcome = the_machine->next(CallKind::write, told(file, "write"));
  if (outcome == Machine::Outcome::io_error) return SQLITE_IOERR_WRITE;
  if (outcome == Machine::Outcome::disk_full) return SQLITE_FULL;
  const int written = outcome == Machine::Outcome::normal ? amount : amount / 2;
  the_machine->disk()->about_to_write(ours(file).descriptor->get(), static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(written));
  const int code = true_file(file)->pMethods->xWrite(true_file(file), from, written, offset);
  if (outcome == Machine::Outcome::torn) the_machine->crash();
  return outcome == Machine::Outcome::short_write ? SQLITE_FULL : code;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  const auto lock = the_machine->lock();
  if (the_machine->next(CallKind::remove, told(file, "truncate")) != Machine::Outcome::normal) return SQLITE_IOERR_TRUNCATE;
  sqlite3_int64 old = 0;
  true_file(file)->pMethods->xFileSize(true_file(file), &old);
  if (old > size) {
    the_machine->disk()->about_to_write(ours(file).descriptor->get(), static_cast<std::uint64_t>(size), static_cast<std::uint64_t>(old - size));
  }
  return true_file(file)->pMethods->xTruncate(true_file(file), size);
}

// An error here leaves it open whether what was written is durable; both happen (FaultPlan::failed_sync_loses).
int sync(sqlite3_file* file, int /*flags*/) {
  const auto lock = the_machine->lock();
  const int descriptor = ours(file).descriptor->get();
  if (the_machine->next(CallKind::sync_file, told(file, "sync")) == Machine::Outcome::normal) {
    the_machine->disk()->file_synced(descriptor);
    return SQLITE_OK;
  }
  if (the_machine->plan().failed_sync_loses) {
    the_machine->disk()->file_sync_failed_and_lost(descriptor);
  } else {
    the_machine->disk()->file_sync_failed(descriptor);
  }
  return SQLITE_IOERR_FSYNC;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) { return true_file(file)->pMethods->xFileSize(true_file(file), size); }
int lock_file(sqlite3_file* file, int level) { return true_file(file)->pMethods->xLock(true_file(file), level); }
int unlock_file(sqlite3_file* file, int level) { return true_file(file)->pMethods->xUnlock(true_file(file), level); }
int check_reserved(sqlite3_file* file, int* out) { return true_file(file)->pMethods->xCheckReservedLock(true_file(file), out); }
int control(sqlite3_file* file, int operation, void* argument) {
  return true_file(file)->pMethods->xFileControl(true_file(file), operation, argument);
}
int sector_size(sqlite3_file* file) { return true_file(file)->pMethods->xSectorSize(true_file(file)); }
int characteristics(sqlite3_file* file) { return true_file(file)->pMethods->xDeviceCharacteristics(true_file(file)); }
int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  return true_file(file)->pMethods->xShmMap(true_file(file), region, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return true_file(file)->pMethods->xShmLock(true_file(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { true_file(file)->pMethods->xShmBarrier(true_file(file)); }
int shm_unmap(sqlite3_file* file, int remove) { return true_file(file)->pMethods->xShmUnmap(true_file(file), remove); }

// Version 2: with shared memory for the log's index, without memory-mapped pages.
const sqlite3_io_methods kMethods = {2,           close,          read,    write,       truncate,        sync,    file_size, lock_file,
                                     unlock_file, check_reserved, control, sector_size, characteristics, shm_map, shm_lock,  shm_barrier,
                                     shm_unmap,   nullptr,        nullptr};

// Temporary files have no name; the database, its log and its journal have one.
int open(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const int code = the_real_vfs->xOpen(the_real_vfs, name, true_file(file), flags, out_flags);
  if (code != SQLITE_OK || name == nullptr) return name == nullptr ? SQLITE_CANTOPEN : code;
  // Both live on, like the process, until its end.
  ours(file).descriptor = new UniqueFd(::open(name, O_RDWR | O_CLOEXEC));
  const char* slash = std::strrchr(name, '/');
  ours(file).name = ::strdup(slash == nullptr ? name : slash + 1);
  file->pMethods = &kMethods;
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) the_machine->disk()->lost_at_power_cut(std::string(name) + "-shm");
  return SQLITE_OK;
}

}  // namespace

void put_databases_on(Machine& machine) {
  if (machine.disk() == nullptr) throw std::logic_error("databases need a machine with an attic");
  the_machine = &machine;
  the_real_vfs = ::sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *the_real_vfs;
  vfs.szOsFile = static_cast<int>(sizeof(OurFile)) + the_real_vfs->szOsFile;
  vfs.zName = "faulty";
  vfs.xOpen = open;
  if (::sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) throw std::runtime_error("cannot register the VFS");
}

}  // namespace popsync::test
