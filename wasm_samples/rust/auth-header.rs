// Answers 403 to requests whose "x-blocked" is "yes", and adds "x-rust: seen" to the others. No crate is used: the ABI is
// C's, and a bump allocator is enough for what the host hands over.
#![no_std]

use core::panic::PanicInfo;
use core::ptr::{addr_of_mut, null, null_mut};
use core::slice;

#[link(wasm_import_module = "env")]
extern "C" {
    fn proxy_get_header_map_value(map: u32, name: *const u8, size: usize, value: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_add_header_map_value(map: u32, name: *const u8, size: usize, value: *const u8, len: usize) -> u32;
    fn proxy_send_local_response(
        status: u32, details: *const u8, details_size: usize, body: *const u8, body_size: usize, headers: *const u8,
        headers_size: usize, grpc_status: i32,
    ) -> u32;
}

const REQUEST_HEADERS: u32 = 0;
const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;
const HEAP: usize = 1 << 16;

static mut MEMORY: [u8; HEAP] = [0; HEAP];
static mut USED: usize = 0;

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

#[no_mangle]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// Hands out memory from one region, which begins again when it is full.
#[no_mangle]
pub unsafe extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    if size > HEAP {
        return null_mut();
    }
    if USED + size > HEAP {
        USED = 0;
    }
    USED += size;
    (addr_of_mut!(MEMORY) as *mut u8).add(USED - size)
}

unsafe fn header(name: &[u8]) -> &'static [u8] {
    let (mut data, mut size) = (null_mut(), 0);
    if proxy_get_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), &mut data, &mut size) != 0 || size == 0 {
        return &[];
    }
    slice::from_raw_parts(data, size)
}

#[no_mangle]
pub unsafe extern "C" fn proxy_on_request_headers(_context: u32, _count: u32, _end: u32) -> u32 {
    if header(b"x-blocked") == b"yes" {
        let body = b"blocked\n";
        proxy_send_local_response(403, null(), 0, body.as_ptr(), body.len(), null(), 0, -1);
        return PAUSE;
    }
    let (name, value) = (b"x-rust", b"seen");
    proxy_add_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), value.as_ptr(), value.len());
    CONTINUE
}
