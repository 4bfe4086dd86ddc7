// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server/auth/local_auth.h"

#include "core/auth/jwt.h"
#include "core/base/json.h"
#include "core/base/random.h"
#include "server/auth/throttle.h"
#include "server/base/files.h"
#include "server/base/log.h"
#include "server/base/worker_pool.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace sotto::server {
namespace {

constexpr const char* kAudience = "sotto";
constexpr const char* kKeyFile = "token-key.pem";
constexpr const char* kPasswordFile = "admin-password";
constexpr const char* kHashKind = "password-hash";
constexpr const char* kRevokedKind = "revoked-token";
constexpr const char* kIssuedKind = "issued-token";
constexpr std::size_t kMaxSecretFile = 64U << 10U;
constexpr std::size_t kMaxPasswordBytes = 1024;
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxRevoked = 100'000;
constexpr std::size_t kMaxIssued = 10'000;
constexpr std::size_t kMaxScopeWords = 8;
constexpr std::size_t kMaxScopeBytes = 256;

/// One log-in takes 64 MiB and a tenth of a second (libsodium's "interactive"): two at a time, and
/// no more waiting than a person would sit through.
constexpr std::size_t kHashThreads = 2;
constexpr std::size_t kMaxHashesWaiting = 32;

/// An address is stopped soon and for long. A name is stopped late and shortly, or strangers could
/// lock the administrator out.
constexpr ThrottlePolicy kPerAddress{5, std::chrono::seconds(900)};
constexpr ThrottlePolicy kPerName{20, std::chrono::seconds(30)};

std::chrono::seconds now_utc() {
  return std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

bool valid_scope(std::string_view scope) {
  if (scope.empty() || scope.size() > kMaxScopeBytes) return false;
  const auto colons = static_cast<std::size_t>(std::count(scope.begin(), scope.end(), ':'));
  if (colons >= kMaxScopeWords || scope.front() == ':' || scope.back() == ':' ||
      scope.find("::") != std::string_view::npos) {
    return false;
  }
  return std::all_of(scope.begin(), scope.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '*' || c == ':';
  });
}

bool valid_token_id(std::string_view id) {
  return id.size() == 22 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

/// What is kept of a password.
struct PasswordRow {
  std::string hash;
  std::int64_t since = 0;  ///< Log-ins from before this second are over.

  std::string text() const { return nlohmann::json{{"hash", hash}, {"since", since}}.dump(); }
};

Result<std::string> hash_password(const std::string& password) {
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  if (crypto_pwhash_str(hash.data(), password.data(), password.size(),
                        crypto_pwhash_OPSLIMIT_INTERACTIVE,
                        crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0) {
    return fail(ErrorCode::kUnavailable, "not enough memory to hash a password");
  }
  return std::string(hash.data());
}

class Local : public LocalAuth {
 public:
  Local(MainContext& loop, StateStore& state, EventBus& events, LocalAuthOptions options,
        SigningKey key, PasswordRow password)
      : loop_(loop),
        state_(state),
        events_(events),
        options_(std::move(options)),
        key_(std::move(key)),
        password_(std::move(password)) {
    for (const auto& [id, text] : state_.all(kRevokedKind)) {
      revoked_[id] = std::strtoll(text.c_str(), nullptr, 10);
    }
    forget_expired();
  }

  Result<Principal> verify(std::string_view token) override {
    const auto claims = verify_token(token, key_, kAudience, now_utc());
    if (!claims) return tl::unexpected(claims.error());
    if (revoked_.find(claims->id) != revoked_.end()) {
      return fail(ErrorCode::kUnauthenticated, "the token was revoked");
    }
    if (claims->subject == options_.admin_name && claims->issued.count() < password_.since &&
        !state_.get(kIssuedKind, claims->id)) {
      return fail(ErrorCode::kUnauthenticated, "the password was changed: log in again");
    }
    return Principal{claims->subject, claims->scopes, claims->id};
  }

  Result<std::string> issue(const Principal& issuer, std::string subject,
                            std::vector<std::string> scopes, std::chrono::seconds life) override {
    return sign(issuer, std::move(subject), std::move(scopes), life, random_name());
  }

  Result<std::string> issue_listed(const Principal& issuer, std::string subject,
                                   std::vector<std::string> scopes,
                                   std::chrono::seconds life) override {
    forget_expired();
    if (state_.all(kIssuedKind).size() >= kMaxIssued) {
      return fail(ErrorCode::kUnavailable, "too many tokens are in use; revoke some");
    }
    const std::string id = random_name();
    const nlohmann::json row = {
        {"sub", subject}, {"scope", scopes}, {"exp", (now_utc() + life).count()}};
    auto token = sign(issuer, std::move(subject), std::move(scopes), life, id);
    if (!token) return token;
    if (const auto stored = state_.put(kIssuedKind, id, row.dump()); !stored) {
      return tl::unexpected(stored.error());
    }
    return token;
  }

  std::vector<IssuedToken> issued() const override {
    std::vector<IssuedToken> list;
    for (const auto& [id, text] : state_.all(kIssuedKind)) {
      const auto row = parse_json_object(text);
      if (!row || revoked_.find(id) != revoked_.end()) continue;
      list.push_back({id, json_text(*row, "sub"), row->at("scope").get<std::vector<std::string>>(),
                      row->at("exp").get<std::int64_t>()});
    }
    return list;
  }

  Result<> revoke(const std::string& id) override {
    if (!valid_token_id(id)) return fail(ErrorCode::kNotFound, "no token has such an id");
    forget_expired();
    if (revoked_.size() >= kMaxRevoked) {
      return fail(ErrorCode::kUnavailable, "the list of revoked tokens is full");
    }
    std::int64_t until = (now_utc() + kMaxTokenLife).count();
    if (const auto row = state_.get(kIssuedKind, id)) {
      if (const auto parsed = parse_json_object(*row)) until = parsed->value("exp", until);
    }
    if (const auto stored = state_.put(kRevokedKind, id, std::to_string(until)); !stored) {
      return stored;
    }
    revoked_[id] = until;
    events_.publish("token.revoked", {{"token", id}});
    return {};
  }

  std::chrono::seconds login_wait(const std::string& name,
                                  const std::string& address) const override {
    const auto now = Throttle::Clock::now();
    return std::max(by_address_.wait(throttle_key(address), now), by_name_.wait(name, now));
  }

  void log_in(const std::string& name, const std::string& password, const std::string& address,
              std::function<void(Result<Principal>)> done) override {
    if (name.size() > kMaxNameBytes || password.size() > kMaxPasswordBytes) {
      done(fail(ErrorCode::kUnauthenticated, "wrong name or password"));
      return;
    }
    if (const auto wait = login_wait(name, address); wait.count() > 0) {
      done(fail(ErrorCode::kUnavailable,
                "too many wrong passwords: wait " + std::to_string(wait.count()) + " seconds"));
      return;
    }
    // An attempt counts as failed until it succeeded: otherwise a burst in parallel is free.
    const auto now = Throttle::Clock::now();
    by_address_.failed(throttle_key(address), now);
    by_name_.failed(name, now);
    // A name that does not exist costs the same time.
    const bool known = name == options_.admin_name;
    const auto shared_done = std::make_shared<decltype(done)>(std::move(done));
    const auto finish = [this, alive = std::weak_ptr<bool>(alive_), name, address, known,
                         shared_done](bool right) {
      if (alive.expired()) return;
      if (right && known) {
        by_address_.succeeded(throttle_key(address));
        by_name_.succeeded(name);
        events_.publish("login.succeeded", {{"name", name}, {"address", address}});
        (*shared_done)(Principal{name, {"admin"}, {}});
        return;
      }
      log::warning("auth", "log-in failed", {{"name", name}, {"address", address}});
      events_.publish("login.failed", {{"name", name}, {"address", address}});
      (*shared_done)(fail(ErrorCode::kUnauthenticated, "wrong name or password"));
    };
    auto task = [this_loop = &loop_, hash = password_.hash, secret = password, finish]() mutable {
      const bool right = crypto_pwhash_str_verify(hash.c_str(), secret.data(), secret.size()) == 0;
      sodium_memzero(secret.data(), secret.size());
      this_loop->post([finish, right] { finish(right); });
    };
    if (!pool_.run(std::move(task))) {
      (*shared_done)(fail(ErrorCode::kUnavailable, "too many people log in right now; try again"));
    }
  }

  void change_password(const std::string& name, const std::string& current, const std::string& next,
                       const std::string& address, std::function<void(Result<>)> done) override {
    if (next.size() < kMinPasswordBytes || next.size() > kMaxPasswordBytes) {
      done(fail(ErrorCode::kInvalid, "the new password needs at least " +
                                         std::to_string(kMinPasswordBytes) + " characters"));
      return;
    }
    log_in(name, current, address, [this, next, done](const Result<Principal>& who) {
      if (!who) {
        done(tl::unexpected(who.error()));
        return;
      }
      const bool queued = pool_.run([this, alive = std::weak_ptr<bool>(alive_), loop = &loop_,
                                     secret = next, done]() mutable {
        auto hash = hash_password(secret);
        sodium_memzero(secret.data(), secret.size());
        loop->post([this, alive, hash = std::move(hash), done] {
          if (!alive.expired()) done(hash ? set_password(*hash) : tl::unexpected(hash.error()));
        });
      });
      if (!queued) done(fail(ErrorCode::kUnavailable, "the server is busy; try again"));
    });
  }

  std::filesystem::path password_file() const override {
    const auto file = options_.data_dir / kPasswordFile;
    std::error_code error;
    return std::filesystem::exists(file, error) ? file : std::filesystem::path();
  }

 private:
  Result<> set_password(const std::string& hash) {
    // The next second, which new tokens claim at once: one of this second may be an old log-in.
    const PasswordRow changed{hash, now_utc().count() + 1};
    if (const auto stored = state_.put(kHashKind, options_.admin_name, changed.text()); !stored) {
      return stored;
    }
    password_ = changed;
    // It holds the first password, which opens nothing any more.
    std::error_code ignored;
    std::filesystem::remove(options_.data_dir / kPasswordFile, ignored);
    log::info("auth", "the password was changed", {{"name", options_.admin_name}});
    events_.publish("password.changed", {{"name", options_.admin_name}});
    return {};
  }

  Result<std::string> sign(const Principal& issuer, std::string subject,
                           std::vector<std::string> scopes, std::chrono::seconds life,
                           std::string id) {
    if (!issuer.known()) return fail(ErrorCode::kUnauthenticated, "nobody asks for this token");
    if (subject.empty() || subject.size() > kMaxNameBytes) {
      return fail(ErrorCode::kInvalid, "a token's subject has 1 to 128 bytes");
    }
    if (life.count() <= 0 || life > kMaxTokenLife) {
      return fail(ErrorCode::kInvalid, "a token lives from a second to 366 days");
    }
    if (scopes.empty() || scopes.size() > kMaxTokenScopes) {
      return fail(ErrorCode::kInvalid, "a token has 1 to 64 scopes");
    }
    for (const auto& scope : scopes) {
      if (!valid_scope(scope)) {
        return fail(ErrorCode::kInvalid, "a scope is words joined by colons: stream:door:view");
      }
      if (!issuer.may(scope)) {
        return fail(ErrorCode::kDenied, "you do not have the scope " + scope + " yourself");
      }
    }
    return sign_token({.subject = std::move(subject),
                       .scopes = std::move(scopes),
                       .audience = kAudience,
                       .id = std::move(id),
                       .expires = now_utc() + life,
                       .issued = std::max(now_utc(), std::chrono::seconds(password_.since))},
                      key_);
  }

  void forget_expired() {
    const std::int64_t now = now_utc().count();
    for (auto entry = revoked_.begin(); entry != revoked_.end();) {
      if (entry->second > now) {
        ++entry;
        continue;
      }
      if (!state_.erase(kRevokedKind, entry->first)) return;
      entry = revoked_.erase(entry);
    }
    for (const auto& [id, text] : state_.all(kIssuedKind)) {
      const auto row = parse_json_object(text);
      if (row && row->value("exp", std::int64_t{0}) > now) continue;
      if (!state_.erase(kIssuedKind, id)) return;
    }
  }

  MainContext& loop_;
  StateStore& state_;
  EventBus& events_;
  LocalAuthOptions options_;
  SigningKey key_;
  PasswordRow password_;
  std::map<std::string, std::int64_t, std::less<>> revoked_;  // Token id to its expiry.
  Throttle by_address_{kPerAddress};
  Throttle by_name_{kPerName};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  WorkerPool pool_{kHashThreads, kMaxHashesWaiting};
};

Result<SigningKey> open_key(const std::filesystem::path& file) {
  auto pem = read_private_file(file, kMaxSecretFile);
  if (pem) {
    auto key = SigningKey::from_pem(*pem);
    sodium_memzero(pem->data(), pem->size());
    if (!key) return fail(key.error().code, file.string() + ": " + key.error().message);
    return key;
  }
  if (pem.error().code != ErrorCode::kNotFound) return tl::unexpected(pem.error());
  auto key = SigningKey::generate();
  if (!key) return key;
  auto made = key->to_pem();
  if (!made) return tl::unexpected(made.error());
  const auto written = write_private_file(file, *made);
  sodium_memzero(made->data(), made->size());
  if (!written) return tl::unexpected(written.error());
  return key;
}

/// The administrator's hash. Without one the password in the file counts, so that a lost state.db
/// locks nobody out; without a file either, both are made.
Result<PasswordRow> open_password(StateStore& state, const LocalAuthOptions& options) {
  if (const auto row = state.get(kHashKind, options.admin_name)) {
    const auto parsed = parse_json_object(*row);
    if (parsed && !json_text(*parsed, "hash").empty()) {
      return PasswordRow{json_text(*parsed, "hash"), parsed->value("since", std::int64_t{0})};
    }
    return fail(ErrorCode::kInvalid, "state.db: the administrator's password hash is damaged");
  }
  const auto file = options.data_dir / kPasswordFile;
  auto password = read_private_file(file, kMaxPasswordBytes);
  if (!password && password.error().code != ErrorCode::kNotFound) {
    return tl::unexpected(password.error());
  }
  if (password) {
    while (!password->empty() && (password->back() == '\n' || password->back() == '\r')) {
      password->pop_back();
    }
    if (password->empty()) return fail(ErrorCode::kInvalid, file.string() + " is empty");
  } else {
    password = random_name(15);  // 120 bits, 20 characters.
    if (const auto written = write_private_file(file, *password + '\n'); !written) {
      return tl::unexpected(written.error());
    }
  }
  auto hash = hash_password(*password);
  sodium_memzero(password->data(), password->size());
  if (!hash) return tl::unexpected(hash.error());
  PasswordRow row{*std::move(hash), 0};
  if (const auto stored = state.put(kHashKind, options.admin_name, row.text()); !stored) {
    return tl::unexpected(stored.error());
  }
  return row;
}

}  // namespace

Result<std::unique_ptr<LocalAuth>> open_local_auth(MainContext& loop, StateStore& state,
                                                   EventBus& events, LocalAuthOptions options) {
  if (sodium_init() < 0) return fail(ErrorCode::kCrypto, "libsodium does not start");
  auto key = open_key(options.data_dir / kKeyFile);
  if (!key) return tl::unexpected(key.error());
  auto password = open_password(state, options);
  if (!password) return tl::unexpected(password.error());
  return std::make_unique<Local>(loop, state, events, std::move(options), *std::move(key),
                                 *std::move(password));
}

}  // namespace sotto::server
