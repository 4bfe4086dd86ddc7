// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/keys/identity_file.h"

#include "core/base/random.h"
#include "core/base/scope_exit.h"
#include "core/keys/secret_cbor.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sotto::keys {
namespace {

constexpr std::string_view kSealed = "sotto/identity-sealed/v1";
constexpr std::string_view kOpen = "sotto/identity-open/v1";
constexpr std::size_t kScalar = 32;
constexpr std::size_t kSalt = crypto_pwhash_SALTBYTES;
constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kBox = kScalar + crypto_aead_xchacha20poly1305_ietf_ABYTES;

struct Sealed {
  ByteView spki;
  FileCost cost;
  ByteView salt;
  ByteView nonce;
  ByteView box;
};

/// Everything but the box: the associated data, and what the file begins with but for the count.
cbor::Writer head_of(std::uint64_t items, const Sealed& file) {
  cbor::Writer out;
  out.array(items).text(kSealed).bytes(file.spki).number(file.cost.passes);
  out.number(file.cost.memory).bytes(file.salt).bytes(file.nonce);
  return out;
}

tl::unexpected<Error> not_ours() {
  return fail(ErrorCode::kParse, "not an identity file; `sotto id new` writes one");
}

Result<Sealed> parse_sealed(ByteView bytes) {
  cbor::Reader reader(bytes);
  Sealed out;
  if (!reader.labelled(7, kSealed)) return not_ours();
  const auto spki = reader.bytes(kSpkiSize);
  const auto passes = reader.number();
  const auto memory = reader.number();
  const auto salt = reader.bytes(kSalt);
  const auto nonce = reader.bytes(kNonce);
  const auto box = reader.bytes(kBox);
  if (!spki || !passes || !memory || !salt || !nonce || !box || !reader.at_end()) return not_ours();
  if (salt->size() != kSalt || nonce->size() != kNonce || box->size() != kBox) return not_ours();
  if (*passes < crypto_pwhash_OPSLIMIT_MIN || *passes > kMaxFileCost.passes ||
      *memory < crypto_pwhash_MEMLIMIT_MIN || *memory > kMaxFileCost.memory) {
    return fail(ErrorCode::kTooLarge, "the identity file asks for more work than any of ours");
  }
  return Sealed{*spki, {*passes, *memory}, *salt, *nonce, *box};
}

struct Plain {
  ByteView spki;
  ByteView scalar;
};
std::optional<Plain> parse_plain(ByteView bytes) {
  cbor::Reader reader(bytes);
  if (!reader.labelled(3, kOpen)) return std::nullopt;
  const auto spki = reader.bytes(kSpkiSize);
  const auto scalar = reader.bytes(kScalar);
  if (!spki || !scalar || scalar->size() != kScalar || !reader.at_end()) return std::nullopt;
  return Plain{*spki, *scalar};
}

Result<Secret> stretch(ByteView passphrase, ByteView salt, FileCost cost) {
  Secret key(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
  const auto* words = reinterpret_cast<const char*>(passphrase.data());
  if (crypto_pwhash(key.span().data(), key.size(), words, passphrase.size(), salt.data(),
                    cost.passes, static_cast<std::size_t>(cost.memory),
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(ErrorCode::kUnavailable, "not enough memory to derive the identity file's key");
  }
  return key;
}

/// The private key, when it belongs to what the file says is the public one.
Result<std::unique_ptr<FileIdentity>> matching(ByteView scalar, ByteView spki) {
  auto identity = FileIdentity::from_private_key(scalar);
  if (!identity) return identity;
  if (!equal_constant_time((*identity)->pub().spki(), spki)) {
    return fail(ErrorCode::kCrypto, "the identity file's keys do not belong together");
  }
  return identity;
}

tl::unexpected<Error> system_error(const std::filesystem::path& path, const char* what) {
  const int number = errno;
  const auto code = number == ENOENT   ? ErrorCode::kNotFound
                    : number == EEXIST ? ErrorCode::kExists
                                       : ErrorCode::kIo;
  return fail(code, std::string(what) + " " + path.string() + ": " + std::strerror(number));
}

}  // namespace

Result<Bytes> seal_identity(const FileIdentity& identity, ByteView passphrase, FileCost cost) {
  if (passphrase.size() < kMinPassphrase || passphrase.size() > kMaxPassphrase) {
    return fail(ErrorCode::kInvalid, "a passphrase has 8 to 1024 bytes");
  }
  const auto scalar = identity.private_key();
  if (!scalar) return tl::unexpected<Error>(scalar.error());
  const auto salt = random_bytes(kSalt);
  const auto nonce = random_bytes(kNonce);
  const Sealed file{identity.pub().spki(), cost, salt, nonce, {}};
  const auto key = stretch(passphrase, salt, cost);
  if (!key) return tl::unexpected<Error>(key.error());
  const auto associated = head_of(6, file).take();
  Bytes box(kBox);
  crypto_aead_xchacha20poly1305_ietf_encrypt(box.data(), nullptr, scalar->view().data(),
                                             scalar->size(), associated.data(), associated.size(),
                                             nullptr, nonce.data(), key->view().data());
  return head_of(7, file).bytes(box).take();
}

Result<Secret> print_open_identity(const FileIdentity& identity) {
  const auto scalar = identity.private_key();
  if (!scalar) return tl::unexpected<Error>(scalar.error());
  SecretWriter out(kMaxIdentityFile);
  out.array(3).text(kOpen).bytes(identity.pub().spki()).bytes(scalar->view());
  return out.take();
}

Result<IdentityFacts> identity_facts(ByteView file) {
  const auto plain = parse_plain(file);
  const auto sealed = plain ? Sealed{plain->spki, {}, {}, {}, {}} : parse_sealed(file);
  if (!sealed) return tl::unexpected<Error>(sealed.error());
  auto pub = PublicIdentity::from_spki(sealed->spki);
  if (!pub) return tl::unexpected<Error>(pub.error());
  return IdentityFacts{std::move(*pub), !plain.has_value(), sealed->cost};
}

Result<std::unique_ptr<FileIdentity>> open_identity(ByteView file, ByteView passphrase) {
  if (const auto plain = parse_plain(file)) return matching(plain->scalar, plain->spki);
  const auto sealed = parse_sealed(file);
  if (!sealed) return tl::unexpected<Error>(sealed.error());
  if (passphrase.size() > kMaxPassphrase) {
    return fail(ErrorCode::kInvalid, "a passphrase has 8 to 1024 bytes");
  }
  const auto key = stretch(passphrase, sealed->salt, sealed->cost);
  if (!key) return tl::unexpected<Error>(key.error());
  const auto associated = head_of(6, *sealed).take();
  Secret scalar(kScalar);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          scalar.span().data(), nullptr, nullptr, sealed->box.data(), sealed->box.size(),
          associated.data(), associated.size(), sealed->nonce.data(), key->view().data()) != 0) {
    return fail(ErrorCode::kUnauthenticated,
                "another passphrase, or the identity file was changed");
  }
  return matching(scalar.view(), sealed->spki);
}

Result<Secret> read_private_file(const std::filesystem::path& path, std::size_t longest) {
  // Not blocked by a FIFO put there, nor by a terminal.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return system_error(path, "cannot read");
  const ScopeExit close_file([file] { close(file); });
  struct stat facts {};
  if (fstat(file, &facts) != 0) return system_error(path, "cannot read");
  if (!S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::kInvalid, path.string() + " is not a regular file");
  }
  if ((facts.st_mode & 077U) != 0) {
    return fail(ErrorCode::kDenied, "others can read " + path.string() + "; chmod 600 it");
  }
  if (facts.st_uid != geteuid() && facts.st_uid != 0) {
    return fail(ErrorCode::kDenied, path.string() + " belongs to somebody else");
  }
  Secret content(longest + 1);  // One more, to notice a longer file.
  std::size_t size = 0;
  while (size < content.size()) {
    const auto got = read(file, content.span().data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, "cannot read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > longest) return fail(ErrorCode::kTooLarge, path.string() + " is too long");
  return Secret::copy_of(content.view().first(size));
}

Result<> write_private_file(const std::filesystem::path& path, ByteView content) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return system_error(path, "cannot make");
  ScopeExit remove([&] { unlink(path.c_str()); });
  const ScopeExit close_file([file] { close(file); });
  if (fchmod(file, 0600) != 0 ||
      write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      fsync(file) != 0) {
    return system_error(path, "cannot write");
  }
  remove.release();
  return {};
}

}  // namespace sotto::keys
