# Certificates and keys, by way of the store and key functions.

# The certificate in the Personal store; null when it is not there.
function Find-OwnCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Thumbprint)

    foreach ($certificate in Get-StoreCertificate -Store My) {
        if ($certificate.Thumbprint -eq $Thumbprint) { return $certificate }
    }
    return $null
}

function Get-OwnCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Thumbprint)

    $certificate = Find-OwnCertificate -Thumbprint $Thumbprint
    if ($null -eq $certificate) {
        Stop-Script -Id 'CertificateNotFound' -Message "certificate $Thumbprint is not in the Personal store of the machine"
    }
    return $certificate
}

# Office Online Server picks certificates by friendly name only, so no other
# may bear it.
# Source: Microsoft, "Plan Office Online Server", on Trusted Root; the same is
# reported of the Personal store.
function Assert-FriendlyNameFree {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $FriendlyName,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )

    foreach ($store in 'My', 'Root') {
        foreach ($certificate in Get-StoreCertificate -Store $store) {
            if ($certificate.FriendlyName -eq $FriendlyName -and $certificate.Thumbprint -ne $Thumbprint) {
                Stop-Script -Id 'AmbiguousFriendlyName' -Message (
                    "certificate $($certificate.Thumbprint) in store $store also has the friendly name '$FriendlyName'")
            }
        }
    }
}

# Signs with the private key and verifies with the public one.
function Test-KeySignature {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)

    $private = Get-PrivateKey -Certificate $Certificate
    if ($null -eq $private) { return $false }
    $public = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPublicKey($Certificate)
    $data = [Guid]::NewGuid().ToByteArray()
    $sha256 = [System.Security.Cryptography.HashAlgorithmName]::SHA256
    $padding = [System.Security.Cryptography.RSASignaturePadding]::Pkcs1
    return $public.VerifyData($data, $private.SignData($data, $sha256, $padding), $sha256, $padding)
}

# A certificate as results show it. A key that cannot be opened is shown
# without provider and readers: observing must not fail on it.
function ConvertTo-CertificateRecord {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Certificate,
        [switch] $Sign
    )

    $provider = ''
    $readers = @()
    $signs = $false
    if ($Certificate.HasPrivateKey) {
        try {
            $location = Get-KeyLocation -Certificate $Certificate
            $provider = $location.Provider
            if ($location.File -ne '') { $readers = @(Get-KeyReader -File $location.File) }
            if ($Sign) { $signs = Test-KeySignature -Certificate $Certificate }
        }
        catch { $signs = $false }
    }
    return [pscustomobject] @{
        thumbprint = [string] $Certificate.Thumbprint
        friendlyName = [string] $Certificate.FriendlyName
        subject = [string] $Certificate.Subject
        notBefore = $Certificate.NotBefore
        notAfter = $Certificate.NotAfter
        hasKey = [bool] $Certificate.HasPrivateKey
        provider = $provider
        keyReaders = $readers
        keySigns = $signs
    }
}

# The password as Windows takes it, without passing through a cmdlet or a
# string that would stay in memory.
function Read-PfxPassword {
    [CmdletBinding()]
    param()

    $password = New-Object System.Security.SecureString
    $chars = [System.Text.Encoding]::UTF8.GetChars($FarmTrustSecrets[1])
    foreach ($char in $chars) { $password.AppendChar($char) }
    [Array]::Clear($chars, 0, $chars.Length)
    $password.MakeReadOnly()
    return $password
}

# Opens the PFX among the secrets. Its key is then on disk, in the machine's
# key store: whoever does not keep the certificate must remove it.
function Read-KeyCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [bool] $Exportable
    )

    # Without MachineKeySet the key lands in a profile, without PersistKeySet
    # it goes when the object does.
    $flags = [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags] 'MachineKeySet, PersistKeySet'
    if ($Exportable) { $flags = $flags -bor [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags]::Exportable }
    try { $certificate = Open-Pfx -Flags $flags }
    catch [System.Security.Cryptography.CryptographicException] {
        # Windows Server 2016 reports a PFX encrypted with AES the same way.
        Stop-Script -Id 'PfxRefused' -Message "Windows cannot open the PFX: $($_.Exception.GetBaseException().Message)"
    }
    if ($certificate.Thumbprint -ne $Thumbprint) {
        Remove-Key -Certificate $certificate
        Stop-Script -Id 'WrongCertificate' -Message "the PFX holds certificate $($certificate.Thumbprint), not $Thumbprint"
    }
    if (-not $certificate.HasPrivateKey) {
        Stop-Script -Id 'KeyMissing' -Message "the PFX holds certificate $Thumbprint without its key"
    }
    return $certificate
}
