/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - the result of every incremental parser
 */
#ifndef MR_PROTO_PARSE_H
#define MR_PROTO_PARSE_H

enum parse_result {
    PARSE_ERROR = -1, /* err says why */
    PARSE_MORE = 0,   /* nothing consumed; call again with more bytes */
    PARSE_DONE = 1,   /* one item is complete */
};

#endif
