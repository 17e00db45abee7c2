#include "socket.hpp"

#include <cerrno>
#include <cstring>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

namespace repartee::bench {

IoResult Socket::tls_result(int returned)
{
    if (returned > 0) return {IoStatus::ok, static_cast<std::size_t>(returned)};
    const int system_error = errno;
    switch (SSL_get_error(tls_.get(), returned)) {
    case SSL_ERROR_WANT_READ: return {IoStatus::want_read};
    case SSL_ERROR_WANT_WRITE: return {IoStatus::want_write};
    case SSL_ERROR_ZERO_RETURN: return {IoStatus::closed};
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        if (system_error == 0) return {IoStatus::closed};
        failure_ = std::strerror(system_error);
        return {IoStatus::failed};
    default: failure_ = "TLS: " + tls_failure(tls_.get()); return {IoStatus::failed};
    }
}

IoResult Socket::system_result(long returned, IoStatus would_block)
{
    if (returned >= 0) return {IoStatus::ok, static_cast<std::size_t>(returned)};
    if (errno == EAGAIN || errno == EINTR) return {would_block};
    failure_ = std::strerror(errno);
    return {IoStatus::failed};
}

IoResult Socket::handshake()
{
    errno = 0;
    return tls_result(SSL_do_handshake(tls_.get()));
}

IoResult Socket::read(std::span<std::byte> into)
{
    if (tls_) {
        errno = 0;
        return tls_result(SSL_read(tls_.get(), into.data(), static_cast<int>(into.size())));
    }
    const long n = ::recv(fd_, into.data(), into.size(), 0);
    if (n == 0) return {IoStatus::closed};
    return system_result(n, IoStatus::want_read);
}

IoResult Socket::write(std::span<const std::byte> from)
{
    if (tls_) {
        errno = 0;
        return tls_result(SSL_write(tls_.get(), from.data(), static_cast<int>(from.size())));
    }
    return system_result(::send(fd_, from.data(), from.size(), MSG_NOSIGNAL), IoStatus::want_write);
}

void Socket::close()
{
    if (fd_ < 0) return;
    if (tls_) SSL_shutdown(tls_.get());  // says goodbye when there is room; the peer's answer is not waited for
    ERR_clear_error();
    tls_.reset();
    ::close(fd_);
    fd_ = -1;
}

}  // namespace repartee::bench
