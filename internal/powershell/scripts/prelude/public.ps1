# Certificates without their keys.

# Reports whether bytes have the form of one certificate in DER and nothing else:
# a sequence that ends where they end and whose first element is a sequence. In
# a PFX and in a private key the first element is an integer, in PKCS #7 an
# object identifier; text is not a sequence.
# Source: RFC 5280, 4.1; RFC 7292, 4; RFC 5958, 2.
function Test-CertificateForm {
    [CmdletBinding()]
    param([byte[]] $Der)

    if ($null -eq $Der -or $Der.Length -lt 128 -or $Der[0] -ne 0x30) { return $false }
    $header = 2
    $length = [int] $Der[1]
    if ($length -eq 0x81) {
        $header = 3
        $length = [int] $Der[2]
    }
    elseif ($length -eq 0x82) {
        $header = 4
        $length = 256 * $Der[2] + $Der[3]
    }
    return $header + $length -eq $Der.Length -and $Der[$header] -eq 0x30
}

# Returns a certificate object without a key. The bytes are checked first because
# the class would also read a PFX, and would then write its key to disk. The
# comma keeps PowerShell from spreading the bytes over several arguments.
function New-PublicCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [byte[]] $Der)

    if (-not (Test-CertificateForm -Der $Der)) {
        Stop-Script -Id 'NotPublic' -Message "$($Der.Length) bytes are not one certificate in DER"
    }
    $certificate = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, $Der)
    if ($certificate.HasPrivateKey -or [Convert]::ToBase64String($certificate.RawData) -cne [Convert]::ToBase64String($Der)) {
        Stop-Script -Id 'NotPublic' -Message "the $($Der.Length) bytes hold more than one certificate in DER"
    }
    return $certificate
}
