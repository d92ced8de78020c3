/* SPDX-License-Identifier: BSD-2-Clause */
/* SANITIZED: AddressSanitizer owns malloc, so that a test cannot have one of its own. */
#ifndef TEST_SANITIZED_H
#define TEST_SANITIZED_H

#ifdef __SANITIZE_ADDRESS__ /* gcc */
#define SANITIZED
#endif
#ifdef __has_feature /* clang */
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

#endif
