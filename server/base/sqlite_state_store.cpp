// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/base/sqlite_state_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sotto::server {
namespace {

/// "sott": says that the file is ours, so that a wrong path does not harm a stranger's database.
constexpr int kApplicationId = 0x736f7474;
constexpr int kSchemaVersion = 1;
/// How long a write waits for another process (a backup, say) to let go of the file.
constexpr int kBusyMs = 5000;

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Error error_of(sqlite3* db, const std::string& doing) {
  return {ErrorCode::kIo, "state.db: cannot " + doing + ": " + sqlite3_errmsg(db)};
}

Statement prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(db, sql, -1, &statement, nullptr);
  return Statement(statement);
}

void bind(const Statement& statement, int index, const std::string& text) {
  sqlite3_bind_text(statement.get(), index, text.data(), static_cast<int>(text.size()),
                    SQLITE_TRANSIENT);
}

std::string column(const Statement& statement, int index) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), index));
  return text == nullptr
             ? std::string()
             : std::string(text,
                           static_cast<std::size_t>(sqlite3_column_bytes(statement.get(), index)));
}

Result<int> pragma(sqlite3* db, const char* sql) {
  const Statement statement = prepare(db, sql);
  if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) {
    return tl::unexpected(error_of(db, "be read"));
  }
  return sqlite3_column_int(statement.get(), 0);
}

class SqliteStateStore : public StateStore {
 public:
  explicit SqliteStateStore(Database db) : db_(std::move(db)) {}

  Result<> put(const std::string& kind, const std::string& id, const std::string& json) override {
    const Statement s = prepare(db_.get(),
                                "INSERT INTO state(kind,id,json) VALUES(?1,?2,?3) "
                                "ON CONFLICT(kind,id) DO UPDATE SET json=excluded.json");
    return run(s, {kind, id, json}, "store " + kind);
  }

  Result<> erase(const std::string& kind, const std::string& id) override {
    const Statement s = prepare(db_.get(), "DELETE FROM state WHERE kind=?1 AND id=?2");
    return run(s, {kind, id}, "erase " + kind);
  }

  std::optional<std::string> get(const std::string& kind, const std::string& id) const override {
    const Statement s = prepare(db_.get(), "SELECT json FROM state WHERE kind=?1 AND id=?2");
    if (!s) return std::nullopt;
    bind(s, 1, kind);
    bind(s, 2, id);
    if (sqlite3_step(s.get()) != SQLITE_ROW) return std::nullopt;
    return column(s, 0);
  }

  std::vector<std::pair<std::string, std::string>> all(const std::string& kind) const override {
    std::vector<std::pair<std::string, std::string>> rows;
    const Statement s = prepare(db_.get(), "SELECT id,json FROM state WHERE kind=?1 ORDER BY id");
    if (!s) return rows;
    bind(s, 1, kind);
    while (sqlite3_step(s.get()) == SQLITE_ROW) rows.emplace_back(column(s, 0), column(s, 1));
    return rows;
  }

 private:
  Result<> run(const Statement& statement, const std::vector<std::string>& values,
               const std::string& doing) {
    if (!statement) return tl::unexpected(error_of(db_.get(), doing));
    for (std::size_t i = 0; i < values.size(); ++i) {
      bind(statement, static_cast<int>(i) + 1, values[i]);
    }
    if (sqlite3_step(statement.get()) != SQLITE_DONE) {
      return tl::unexpected(error_of(db_.get(), doing));
    }
    return {};
  }

  Database db_;
};

}  // namespace

Result<std::unique_ptr<StateStore>> open_state_store(const std::filesystem::path& file) {
  // Made by us with the right mode first: SQLite would make it readable for all by umask.
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(ErrorCode::kIo, "cannot open " + file.string() + ": " + std::strerror(errno));
  }
  ::close(fd);

  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  Database db(raw);
  if (opened != SQLITE_OK) return tl::unexpected(error_of(db.get(), "be opened"));
  sqlite3_busy_timeout(db.get(), kBusyMs);

  const auto id = pragma(db.get(), "PRAGMA application_id");
  if (!id) return tl::unexpected(id.error());
  const auto version = pragma(db.get(), "PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  const auto tables = pragma(db.get(), "SELECT count(*) FROM sqlite_master");
  if (!tables) return tl::unexpected(tables.error());
  if (*tables != 0 && *id != kApplicationId) {
    return fail(ErrorCode::kInvalid, file.string() + " is a database of another program");
  }
  if (*version > kSchemaVersion) {
    return fail(ErrorCode::kUnsupported,
                file.string() + " was written by a newer sotto-server; use that one");
  }
  const std::string setup =
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA application_id=" +
      std::to_string(kApplicationId) + "; PRAGMA user_version=" + std::to_string(kSchemaVersion) +
      "; CREATE TABLE IF NOT EXISTS state(kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT "
      "NULL, PRIMARY KEY(kind,id)) WITHOUT ROWID;";
  if (sqlite3_exec(db.get(), setup.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return tl::unexpected(error_of(db.get(), "be prepared"));
  }
  return std::make_unique<SqliteStateStore>(std::move(db));
}

}  // namespace sotto::server
