#include "repartee/net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace repartee::net {
namespace {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const
    {
        Free(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;

constexpr long day_s = 24 * 60 * 60;
constexpr long validity_s = 825 * day_s;       // the most that Apple's clients accept
constexpr long clock_difference_s = 60 * 60;  // clients whose clock is behind ours
constexpr long renew_before_s = 7 * day_s;

Error openssl_failed()
{
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    return Error{Code::tls, std::string("OpenSSL could not make a self-signed certificate: ") + (reason ? reason : "unknown reason") +
                                ". Make one yourself and name its files in the configuration."};
}

Error file_failed(const std::string& path, int cause)
{
    return Error{Code::storage, "Could not write " + path + ": " + std::strerror(cause) + ". Make the folder writable or choose another."};
}

bool is_still_good(const SelfSignedFiles& files)
{
    const Bio certificate_bio(BIO_new_file(files.certificate_file.c_str(), "r"));
    const Bio key_bio(BIO_new_file(files.key_file.c_str(), "r"));
    const Certificate certificate(certificate_bio ? PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr) : nullptr);
    const Key key(key_bio ? PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr) : nullptr);
    const bool pair = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
    ERR_clear_error();
    if (!pair) return false;
    std::time_t needed_until = std::time(nullptr) + renew_before_s;
    return X509_cmp_time(X509_get0_notAfter(certificate.get()), &needed_until) > 0 &&
           X509_cmp_current_time(X509_get0_notBefore(certificate.get())) < 0;
}

bool add_extension(X509* certificate, int nid, const char* value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool set_random_serial(X509* certificate)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
    bytes[0] &= 0x7f;  // positive
    const std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(BN_bin2bn(bytes, sizeof bytes, nullptr));
    return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
}

bool set_names(X509* certificate)
{
    X509_NAME* const name = X509_get_subject_name(certificate);
    const auto* text = reinterpret_cast<const unsigned char*>("Repartee self-signed");
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 && X509_set_issuer_name(certificate, name) == 1;
}

/// A CA certificate, although a server's: so a client can trust it by naming it as its CA file.
bool add_extensions(X509* certificate)
{
    return add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, NID_authority_key_identifier, "keyid:always");
}

Certificate make_certificate(EVP_PKEY* key)
{
    Certificate certificate(X509_new());
    X509* const raw = certificate.get();
    const bool made = raw && X509_set_version(raw, X509_VERSION_3) == 1 && set_random_serial(raw) && set_names(raw) &&
                      X509_gmtime_adj(X509_getm_notBefore(raw), -clock_difference_s) &&
                      X509_gmtime_adj(X509_getm_notAfter(raw), validity_s - clock_difference_s) && X509_set_pubkey(raw, key) == 1 &&
                      add_extensions(raw) && X509_sign(raw, key, EVP_sha256()) != 0;
    if (!made) certificate.reset();
    return certificate;
}

/// Whole or not at all: written beside its place, then renamed.
Result<void> write_file(const std::string& path, BIO* content, mode_t mode)
{
    const std::string temporary = path + ".tmp" + std::to_string(::getpid());
    ::unlink(temporary.c_str());
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) return file_failed(path, errno);
    char* bytes = nullptr;
    const long length = BIO_get_mem_data(content, &bytes);
    const ssize_t written = ::write(file, bytes, static_cast<std::size_t>(length));
    const bool whole = written == length && ::fsync(file) == 0;
    const int write_errno = written >= 0 && written < length ? ENOSPC : errno;
    ::close(file);
    if (whole && ::rename(temporary.c_str(), path.c_str()) == 0) return {};
    const int cause = whole ? errno : write_errno;
    ::unlink(temporary.c_str());
    return file_failed(path, cause);
}

}  // namespace

Result<SelfSignedFiles> ensure_self_signed(const std::string& directory)
{
    const std::filesystem::path folder(directory);
    const SelfSignedFiles files{(folder / "cert.pem").string(), (folder / "key.pem").string()};
    if (is_still_good(files)) return files;

    std::error_code made;
    std::filesystem::create_directories(folder, made);
    if (made) return file_failed(directory, made.value());

    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = key ? make_certificate(key.get()) : nullptr;
    const Bio key_pem(BIO_new(BIO_s_mem()));
    const Bio certificate_pem(BIO_new(BIO_s_mem()));
    const bool encoded = certificate && key_pem && certificate_pem &&
                         PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
                         PEM_write_bio_X509(certificate_pem.get(), certificate.get()) == 1;
    if (!encoded) return openssl_failed();

    // A crash between the two leaves a pair that does not fit, which the next start replaces.
    const auto key_written = write_file(files.key_file, key_pem.get(), 0600);
    if (!key_written) return key_written.error();
    const auto certificate_written = write_file(files.certificate_file, certificate_pem.get(), 0644);
    if (!certificate_written) return certificate_written.error();
    return files;
}

}  // namespace repartee::net
